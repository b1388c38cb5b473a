"""The inbox: remembers which events a consumer has taken, so that a second delivery has no second effect.

It remembers for good: topics of record keep everything, and a replay of them from the beginning has to stay harmless.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service_kit.database import Connection

_TAKE_ONE = "insert into inbox (consumer, event_id) values ($1, $2) on conflict do nothing returning true"
# Sorted, so that two workers which take overlapping batches lock in the same order.
_TAKE_MANY = (
    "insert into inbox (consumer, event_id) select $1, e from unnest($2::uuid[]) as e order by e"
    " on conflict do nothing returning event_id"
)
_SEEN = "select event_id from inbox where consumer = $1 and event_id = any($2::uuid[])"
_FORGET = "delete from inbox where consumer = $1 and event_id = any($2::uuid[])"


@dataclass(slots=True)
class _Switch:
    is_off: bool = False


_switch = _Switch()


def switch_off_for_fault_tests() -> None:
    """Plant the bug that the fault checkers have to find: from now on every delivery counts as the first one."""
    _switch.is_off = True


def is_switched_off() -> bool:
    """Say whether the bug is planted, for those who remember events elsewhere."""
    return _switch.is_off


async def first_time(connection: Connection, consumer: str, event_id: UUID) -> bool:
    """Say whether this is the consumer's first sight of the event; true only once, and undone if the transaction is."""
    if _switch.is_off:
        return True
    return bool(await connection.fetchval(_TAKE_ONE, consumer, event_id))


async def first_times(connection: Connection, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the events that the consumer has not seen before; one statement for a whole batch."""
    if _switch.is_off:
        return set(event_ids)
    return {row[0] for row in await connection.fetch(_TAKE_MANY, consumer, event_ids)}


async def seen(connection: Connection, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the events that were taken already, so that no work is spent on them; `first_times` still decides."""
    if _switch.is_off:
        return set()
    return {row[0] for row in await connection.fetch(_SEEN, consumer, event_ids)}


async def forget(connection: Connection, consumer: str, event_ids: Sequence[UUID]) -> None:
    """Make the next delivery the first one again: for events that were taken and could not be handled after all."""
    await connection.execute(_FORGET, consumer, event_ids)
