"""One loaded model: it scores a text alone, one window at a time, so that the answer never depends on other traffic."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt

from ml_scoring.domain.models import ModelIdentity, ModelReference, ModelUnusable
from ml_scoring.domain.scores import LONGEST_TEXT, Score, TextNotReadable, TextTooLong
from ml_scoring.model.cleaning import CLEANINGS
from ml_scoring.model.graph import Graph
from ml_scoring.model.package import TOKENIZER, WEIGHTS, Package
from ml_scoring.model.tokens import Tokens
from ml_scoring.model.windows import spans

Probabilities = npt.NDArray[np.float64]


class RiskModel:
    """A model ready to score; any number of threads may call `score` at once."""

    def __init__(self, package: Package) -> None:
        """Build the model of a checked directory and let it answer its own checks; raises ModelUnusable with the reason."""
        config = package.sealed.config
        self.identity: ModelIdentity = package.sealed.identity
        self._labels = config.labels
        self._risk = config.labels.index(Score.RISK)
        self._clean = CLEANINGS[config.cleaning]
        self._least_readable = config.least_readable
        self._tokens = Tokens(package.files[TOKENIZER])
        self._size = config.window.tokens - self._tokens.marks
        self._overlap = config.window.overlap
        self._graph = Graph(package.files[WEIGHTS])
        self._reads_a_whole_window()
        self._answers_its_checks(package)

    @classmethod
    def load(cls, directory: Path, *, expected: ModelReference | None = None) -> Self:
        """Read, check and build the model of a directory; raises ModelUnusable with the reason."""
        return cls(Package.read(directory, expected=expected))

    def score(self, text: str) -> Score:
        """Score one text, all of it; raises TextTooLong or TextNotReadable, and nothing else about a text."""
        started = perf_counter_ns()
        windows = self._windows(text)
        riskiest = max((self._probabilities(window) for window in windows), key=lambda found: found[self._risk])
        probabilities = dict(zip(self._labels, riskiest.tolist(), strict=True))
        return Score(
            label=max(probabilities, key=lambda label: probabilities[label]),
            probabilities=MappingProxyType(probabilities),
            level=self.identity.thresholds.level_of(probabilities[Score.RISK]),
            windows=len(windows),
            milliseconds=(perf_counter_ns() - started) / 1e6,
            model=self.identity,
        )

    def _windows(self, text: str) -> list[list[int]]:
        """The tokens of each window, its special tokens included; a text without any word is one empty window."""
        if len(text) > LONGEST_TEXT:
            raise TextTooLong(f"A text may have {LONGEST_TEXT} characters at most.")
        cleaned = self._clean(text)
        if cleaned.readable < self._least_readable:
            raise TextNotReadable("Most letters of this text belong to a script that the model does not know.")
        ids = self._tokens.of(cleaned.text)
        # Some single characters stand for a sentence, which a tokenizer writes out.
        if len(ids) > LONGEST_TEXT:
            raise TextTooLong(f"A text may come to {LONGEST_TEXT} tokens at most.")
        return [self._tokens.between_marks(ids[start:end]) for start, end in spans(len(ids), self._size, self._overlap)]

    def _probabilities(self, window: list[int]) -> Probabilities:
        logits = self._graph.logits(window)
        if not np.isfinite(logits).all():
            raise ArithmeticError("the model's answer is not a number")
        raised = np.exp(logits - logits.max())
        return np.asarray(raised / raised.sum())

    def _reads_a_whole_window(self) -> None:
        """A window longer than the graph has positions would fail no sooner than with the first long text."""
        try:
            self._graph.logits(self._tokens.between_marks(self._tokens.filler(self._size)))
        except Exception as error:
            # The library's errors share no root but Exception.
            raise ModelUnusable(f"the model fails on a window of its full length: {type(error).__name__}") from error

    def _answers_its_checks(self, package: Package) -> None:
        """Score the texts of the config, which also warms the session up."""
        checks = package.sealed.config.checks
        for number, check in enumerate(checks.texts, 1):
            try:
                found = self.score(check.text).probabilities
            except Exception as error:
                # Whatever a foreign graph does wrong, it may not serve.
                raise ModelUnusable(f"the model fails on check {number}: {type(error).__name__}") from error
            apart = {label: abs(found[label] - measured) for label, measured in check.probabilities.items()}
            worst = max(apart, key=lambda label: apart[label])
            if apart[worst] > checks.tolerance:
                raise ModelUnusable(
                    f"the model answers check {number} otherwise than was measured: {worst} is {apart[worst]:.3f} off"
                )
