"""What a stretch of the log comes to in the lake: rows by type and day, and the records that nobody can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from analytics.clients import lake_meters as meters
from analytics.clients.lake_parquet import encoded
from analytics.domain.lake.fields import LAKE_TYPES
from analytics.domain.lake.files import Day, LakeFile, Stretch, part
from analytics.domain.lake.rows import Row, Rows
from analytics.repository.lake import Aside
from bloom_events.registry import UnknownEventType, UnreadableEvent, unwrap
from service_kit.consuming import LogRecord

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Batch:
    """Rows that wait to be written, and where records lie that give none."""

    stretch: Stretch
    days: dict[Day, list[Row]] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)

    def file_of(self, day: Day) -> tuple[LakeFile, bytes]:
        """The file of one of the days, with its content."""
        rows = self.days[day]
        content = encoded(day.type, rows)
        return part(day, self.stretch, len(rows), content), content

    def count(self) -> None:
        """Tell operators what was written."""
        for day, rows in self.days.items():
            meters.ROWS.labels(day.type).inc(len(rows))
            meters.FILES.labels("written").inc()
        for each in self.aside:
            meters.ASIDE.labels("unknown type" if each.type else "unreadable").inc()
            place = {"topic": self.stretch.topic, "partition": self.stretch.partition, "offset": each.offset}
            log.warning("lake.record_aside", reason=each.reason, **place)


def batch_of(records: Sequence[LogRecord], stretch: Stretch, rows: Rows) -> Batch:
    """The rows of these records; one that is broken is put aside alone and stops nothing."""
    batch = Batch(stretch)
    for record in records:
        _add(batch, record, rows)
    return batch


def _add(batch: Batch, record: LogRecord, rows: Rows) -> None:
    try:
        envelope = unwrap(record.headers, record.value)
    except UnknownEventType as error:
        batch.aside.append(Aside(record.offset, "unknown type", error.type))
        return
    except UnreadableEvent as error:
        batch.aside.append(Aside(record.offset, f"unreadable: {error.reason}"))
        return
    if envelope.type not in LAKE_TYPES:
        batch.aside.append(Aside(record.offset, "not of this topic"))
        return
    row = rows.of(envelope, record.partition, record.offset)
    batch.days.setdefault(Day(envelope.type, envelope.time.date()), []).append(row)
