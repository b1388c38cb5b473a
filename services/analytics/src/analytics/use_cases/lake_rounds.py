"""Round after round of the lake until the process is told to stop, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from analytics.use_cases.lake import Lake
from service_kit.health import Check
from service_kit.metrics import CHORE_FAILURES

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAILURE_SECONDS = 15.0
"""A round that failed is begun again so soon: nothing is lost by waiting, and a store that is away need not be asked often."""


class LakeRounds:
    """Does a round at the start and then every so many seconds."""

    def __init__(self, lake: Lake, *, every_seconds: float, pause_seconds: float = PAUSE_AFTER_FAILURE_SECONDS) -> None:
        self._lake = lake
        self._every = every_seconds
        self._pause = pause_seconds
        self._trouble: str | None = None

    def health_checks(self) -> dict[str, Check]:
        """Ready unless the last round has failed; one on standby is ready."""

        async def lake() -> str | None:
            return self._trouble

        return {"lake": lake}

    async def run(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; a round under way is cut off, for what it had not saved is done again."""
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            round_ = asyncio.ensure_future(self._round())
            await asyncio.wait({round_, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not round_.done():
                round_.cancel()
                await asyncio.wait({round_})
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._pause if self._trouble else self._every)
        stopping.cancel()

    async def _round(self) -> None:
        try:
            done = await self._lake.round()
        except Exception as error:
            self._trouble = type(error).__name__
            CHORE_FAILURES.labels("lake").inc()
            log.warning("lake.round_failed", exc_info=error)
            return
        self._trouble = None
        if done is not None:
            log.info(
                "lake.round_done",
                records=done.records,
                files=done.files,
                compacted=done.compacted,
                removed=done.removed,
                orphans=done.orphans,
            )
