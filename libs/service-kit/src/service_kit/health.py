"""Health: alive says that the process runs, ready says whether it can do its work and, if not, why, check by check."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from service_kit.database import Pool

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: None when all is well, else the reason in words for an operator; it may also raise."""

CHECK_SECONDS = 2.0
"""A check that takes longer has failed: probes of an orchestrator give up after a few seconds."""


class Readiness(BaseModel):
    """The answer of `/health/ready`: `ok`, or for each failed check its reason."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


class Liveness(BaseModel):
    """The answer of `/health/live`."""

    status: Literal["alive"] = "alive"


@dataclass(slots=True)
class Health:
    """The checks of one process; `draining` turns it unready while it finishes its work."""

    checks: Mapping[str, Check]
    draining: bool = False
    check_seconds: float = CHECK_SECONDS

    async def readiness(self) -> Readiness:
        """Runs all checks at once, each within its time."""
        if self.draining:
            return Readiness(status="not ready", checks={"process": "shutting down"})
        reasons = await asyncio.gather(*(_reason(check, self.check_seconds) for check in self.checks.values()))
        results = {name: reason or "ok" for name, reason in zip(self.checks, reasons, strict=True)}
        return Readiness(status="not ready" if any(reasons) else "ready", checks=results)


def database_check(pool: Callable[[], Pool | None]) -> Check:
    """Ready when PostgreSQL answers a query on the pool."""

    async def check() -> str | None:
        opened = pool()
        if opened is None:
            return "not connected"
        await opened.fetchval("select 1", timeout=CHECK_SECONDS)
        return None

    return check


async def _reason(check: Check, seconds: float) -> str | None:
    try:
        return await asyncio.wait_for(check(), seconds)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    # Whatever a check raises is its reason, by class only: the text of a driver's error may carry addresses.
    except Exception as error:  # see above
        return type(error).__name__
