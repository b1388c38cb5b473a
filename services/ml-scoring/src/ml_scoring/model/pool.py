"""Scoring on threads: one session, as many texts at a time as there are threads, and a queue with an end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ml_scoring.domain.scores import CannotScore, Score, ScorerBusy
from ml_scoring.model.risk_model import RiskModel

Scored = Score | CannotScore
"""A score, or why this one text has none."""


class ScoringPool:
    """Scores with the model that is live when a call begins; belongs to one event loop.

    `threads` texts are scored at a time (as many as there are cores); `queue_limit` texts may be in the pool at once.
    """

    def __init__(self, live: Callable[[], RiskModel], *, threads: int, queue_limit: int) -> None:
        self._live = live
        self._count = threads
        self._limit = queue_limit
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="score")
        self._left = asyncio.Event()
        self._inside = 0

    @property
    def inside(self) -> int:
        """How many texts wait or are being scored."""
        return self._inside

    async def score(self, text: str) -> Score:
        """Score one text; raises CannotScore for what no model of this kind can score, and ScorerBusy when the queue is full."""
        [scored] = await self.score_batch([text])
        if isinstance(scored, CannotScore):
            raise scored
        return scored

    async def score_batch(self, texts: Sequence[str]) -> list[Scored]:
        """Score some texts, in their order; raises ScorerBusy at once when the queue has no room for all of them."""
        if self._inside + len(texts) > self._limit:
            raise ScorerBusy
        return await self._score(texts)

    async def score_all(self, texts: Sequence[str]) -> list[Scored]:
        """Score any number of texts, in their order, waiting for room instead of being refused."""
        scored: list[Scored] = []
        for start in range(0, len(texts), self._limit):
            part = texts[start : start + self._limit]
            while self._inside + len(part) > self._limit:
                self._left.clear()
                await self._left.wait()
            scored += await self._score(part)
        return scored

    def close(self) -> None:
        """Begin nothing more; what a thread has begun it ends."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _score(self, texts: Sequence[str]) -> list[Scored]:
        model, loop = self._live(), asyncio.get_running_loop()
        waiting, scored = deque(enumerate(texts)), dict[int, Scored]()
        self._inside += len(texts)
        try:
            # A job per thread instead of one per text: a hop between threads costs a tenth of a short text's score.
            jobs = min(self._count, len(texts))
            await asyncio.gather(
                *(loop.run_in_executor(self._threads, _score_what_waits, model, waiting, scored) for _ in range(jobs))
            )
        finally:
            waiting.clear()
            self._inside -= len(texts)
            self._left.set()
        return [scored[number] for number in range(len(texts))]


def _score_what_waits(model: RiskModel, waiting: deque[tuple[int, str]], scored: dict[int, Scored]) -> None:
    """Take texts from the queue until it is empty; other threads take from the same one."""
    while True:
        try:
            number, text = waiting.popleft()
        except IndexError:
            return
        try:
            scored[number] = model.score(text)
        except CannotScore as outcome:
            scored[number] = outcome
