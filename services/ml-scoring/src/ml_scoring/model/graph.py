"""One ONNX graph on one thread at a time: token ids in, logits out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ml_scoring.domain.models import ModelUnusable
from ml_scoring.model.arithmetic import session_options
from ml_scoring.model.package import WEIGHTS

LOGITS = "logits"
ALWAYS_FED = {"input_ids", "attention_mask"}
# BERT's graphs have it, XLM-RoBERTa's do not.
SOMETIMES_FED = {"token_type_ids"}


class Graph:
    """A graph with the inputs of BERT or of XLM-RoBERTa; as many threads as there are cores may run it at once."""

    def __init__(self, content: bytes) -> None:
        """Open the graph; raises ModelUnusable when it is none, or takes or gives something else."""
        self._session = _session_of(content)
        inputs = {each.name for each in self._session.get_inputs()}
        if not ALWAYS_FED <= inputs <= ALWAYS_FED | SOMETIMES_FED:
            raise ModelUnusable(f"{WEIGHTS} must take {', '.join(sorted(ALWAYS_FED))}, token_type_ids or not, and nothing else")
        if LOGITS not in {each.name for each in self._session.get_outputs()}:
            raise ModelUnusable(f"{WEIGHTS} has no output called {LOGITS}")
        self._has_types = "token_type_ids" in inputs

    def logits(self, ids: list[int]) -> npt.NDArray[np.float64]:
        """The answer to one sequence alone, without padding: an int8 answer would depend on its neighbours in a batch."""
        tokens = np.array([ids], dtype=np.int64)
        feed = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        if self._has_types:
            feed["token_type_ids"] = np.zeros_like(tokens)
        return np.asarray(self._session.run([LOGITS], feed)[0][0], dtype=np.float64)


def _session_of(content: bytes) -> Any:  # onnxruntime ships no types
    """A session of one thread: throughput comes from many threads that share it, each with a text of its own."""
    try:
        return onnxruntime.InferenceSession(content, session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:
        # The library's errors share no root but Exception.
        raise ModelUnusable(f"{WEIGHTS} is not a graph that can be run: {type(error).__name__}") from None
