"""The drill: back up, go on living, lose PostgreSQL and the topics' settings, restore, and measure what that costs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from local_stack.errors import StackError
from local_stack.process import wait_until
from local_stack.recovery.backup import back_up, rows_of
from local_stack.recovery.positions import LogAdministration
from local_stack.recovery.restore import Report, Restored, restore
from local_stack.recovery.sealing import Seal
from local_stack.services import SERVICES
from local_stack.stack import Stack

# Tables whose rows come and go by themselves.
_PLUMBING = frozenset({"outbox", "outbox_parked", "inbox", "idempotency_keys"})
_CATCH_UP_SECONDS = 120.0
_LAG = "bloom_consumer_lag_records{"
_WRONG_RETENTION_MS = str(10 * 365 * 24 * 60 * 60 * 1000)


@dataclass(frozen=True)
class Measured:
    """What a drill found; `lost_rows` counts business rows by service and table, plumbing left out."""

    restored: Restored
    backup_seconds: float
    rpo_seconds: float
    rto_seconds: float
    caught_up_seconds: float
    lost_rows: dict[str, int]
    broken_topics: list[str]

    def lines(self) -> list[str]:
        """The figures as a person reads them."""
        found, lost = self.restored.found, sum(self.lost_rows.values())
        databases = len(self.restored.manifest.databases)
        by_type = ", ".join(f"{count} {kind}" for kind, count in found.lost_by_type().items()) or "none"
        return [
            f"backup        {self.backup_seconds:6.1f} s, {self.restored.rows} rows in {databases} databases",
            f"RPO           {self.rpo_seconds:6.1f} s between the backup and the loss, {lost} business rows written in it",
            f"RTO           {self.rto_seconds:6.1f} s from the loss until the platform serves again",
            f"caught up     {self.caught_up_seconds:6.1f} s from the loss until every consumer has read what is there",
            f"topics        {len(self.broken_topics)} broken, {len(self.restored.topics)} mended",
            f"consumers     {len(self.restored.groups)} groups sent back",
            f"outboxes      {found.not_sent_again} rows Kafka had already, {found.to_be_sent} to be sent",
            f"log           {len(found.again)} events that follow again, acts of people lost: {by_type}",
        ]


def drill(stack: Stack, folder: Path, seal: Seal, live_on: Callable[[], None], report: Report) -> Measured:
    """Do it all on this stack; `live_on` is what happens between the backup and the loss."""
    began = datetime.now(UTC)
    back_up(stack, folder, seal)
    backed_up = datetime.now(UTC)
    report("backup", (backed_up - began).total_seconds())
    live_on()
    before = count_all(stack)
    lost_at = datetime.now(UTC)
    broken = destroy(stack)
    restored = restore(stack, folder, seal, report)
    serving_at = datetime.now(UTC)
    after = {
        f"{service}.{table}": rows for service, each in restored.manifest.databases.items() for table, rows in each.rows.items()
    }
    await_caught_up(stack)
    caught_up_at = datetime.now(UTC)
    lost = {name: rows - after.get(name, 0) for name, rows in before.items() if name.partition(".")[2] not in _PLUMBING}
    return Measured(
        restored,
        backup_seconds=(backed_up - began).total_seconds(),
        rpo_seconds=(lost_at - restored.manifest.shows).total_seconds(),
        rto_seconds=(serving_at - lost_at).total_seconds(),
        caught_up_seconds=(caught_up_at - lost_at).total_seconds(),
        lost_rows={name: rows for name, rows in lost.items() if rows > 0},
        broken_topics=broken,
    )


def destroy(stack: Stack) -> list[str]:
    """PostgreSQL killed and its disk gone; an empty topic deleted, another with a wrong setting. Gives the names of these two."""
    stack.postgres.wipe()
    return LogAdministration(stack.kafka.bootstrap).break_topics({"retention.ms": _WRONG_RETENTION_MS})


def count_all(stack: Stack) -> dict[str, int]:
    """How many rows each table of each service has, by `service.table`."""
    counted = {service: asyncio.run(rows_of(stack.postgres, service)) for service in SERVICES}
    return {f"{service}.{table}": rows for service, tables in counted.items() for table, rows in tables.items()}


def await_caught_up(stack: Stack) -> None:
    """Wait until no worker has anything before it; StackError when some still have after two minutes."""
    workers = {name: process for name, process in stack.services.items() if name.endswith("-worker")}
    if not wait_until(lambda: all(_lag(process.address) == 0 for process in workers.values()), _CATCH_UP_SECONDS):
        behind = {name: _lag(process.address) for name, process in workers.items()}
        raise StackError("workers", f"still behind after {_CATCH_UP_SECONDS:.0f} s: {behind}")


def _lag(address: str) -> float | None:
    """The records before a worker; None while it does not say."""
    try:
        page = httpx.get(f"http://{address}/metrics", timeout=10, trust_env=False).text
    except httpx.HTTPError:
        return None
    lags = [float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(_LAG)]
    return sum(lags) if lags else None
