"""The rows of the fault matrix, by id."""

from collections.abc import Mapping

from tests.faults import (
    api_kill,
    broker_disk,
    broker_kill,
    chat,
    crash,
    crisis,
    duplicates,
    poison,
    postgres_kill,
    relay_kill,
    windows,
    worker_kill,
)
from tests.faults.row import FaultRow

_ROWS = (
    FaultRow("1", "kill -9 of the API under 20 writers", "every answer in PostgreSQL and Kafka, nothing else", api_kill.run),
    FaultRow(
        "2", "kill -9 of the relay at its worst moments", "0 lost, order per key, repeats bounded and known by id", relay_kill.run
    ),
    FaultRow(
        "3", "kill -9 of PostgreSQL under bookings", "every answer stands, relay back in < 5 s by itself", postgres_kill.run
    ),
    FaultRow(
        "4",
        "kill -9 and rebalance of billing workers, 1-3-1",
        "one right invoice per billable visit, books balanced",
        worker_kill.run,
    ),
    FaultRow("5", "a crash at each statement of every command", "all or nothing; the same key gives the same body", crash.run),
    FaultRow(
        "6", "the same request 8 times at once, the key with another body", "1 effect, 1 answer, 409 or 422", duplicates.run
    ),
    FaultRow("7", "broker killed; stalls, lost answers, resets", "0 lost, 0 visible duplicates by event id", broker_kill.run),
    FaultRow("8", "Valkey killed 10 times under chat", "every change at every member once, in order", chat.valkey_under_chat),
    FaultRow("9", "dropped, half-open and slow sockets", "slow ones cut, the others hardly later", chat.slow_readers),
    FaultRow("disk", "a broker of three lost with its disk", "nothing acknowledged is missing", broker_disk.run),
    FaultRow(
        "crisis",
        "each part of the crisis path killed under load",
        "every crisis one alert chain, nobody called twice",
        crisis.run,
    ),
    FaultRow(
        "11", "kill -9 and rebalance of analytics workers, 1-3-1", "every window as a batch has it, bit for bit", windows.run
    ),
    FaultRow("12", "1 % poison among 10,000 records", "exactly those parked, the rest handled, redrive works", poison.run),
)

ROWS: Mapping[str, FaultRow] = {row.id: row for row in _ROWS}
