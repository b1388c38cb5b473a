"""What windows must hold: a batch over all distinct events by SQL in DuckDB.

Nothing of the engine is used, so that a mistake there is not repeated here: what each metric reads, how groups, days and buckets
are cut is said here a second time. The formula of DDSketch's buckets is that of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa
from tests.faults.told_events import Told

EVERYBODY = UUID(int=0)
"""The tenant under which all tenants are counted together."""

ACCURACY = 0.01
_MANTISSA = 2 * ACCURACY / (1 - ACCURACY)
_GAMMA = 1 + _MANTISSA
_PER_DOUBLING = 1 / math.log1p(_MANTISSA) * math.log(2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
ZERO_BUCKET = -(2**31)
"""Here and in what is compared: where values of nothing are counted."""

_LOG = "create table log (event_id uuid, type varchar, tenant_id uuid, happened bigint, body varchar)"

# The text fields of all bodies that a metric looks at; times in microseconds since 1970.
_FIELDS = ("therapist_id", "author_role", "role", "level", "label", "currency", "user_id", "author_id", "number")
_TIMES = ("starts_at", "scored_at", "message_sent_at", "acknowledged_at")
_AMOUNTS = ("total_minor", "amount_minor")


@dataclass(frozen=True)
class Definition:
    """One metric as SQL over `facts`: which rows, over which windows, by which groups, and what each row adds."""

    name: str
    where: str
    spans: tuple[str, ...]
    groups: tuple[str | None, ...] = (None,)
    amount: str = "0"
    lasted: str = "null::double"
    member: str = "null::varchar"

    def readings(self) -> str:
        """A row for each group of each event, and one for everybody; what is never summed up is split there too."""
        own = [self._of(group, "tenant_id") for group in self.groups]
        return " union all ".join([*own, self._of(self.groups[0], f"'{EVERYBODY}'::uuid")])

    def _of(self, group: str | None, tenant: str) -> str:
        dimensions = "'{}'" if group is None else f"""'{{"{group}":"' || {group} || '"}}'"""
        return f"""
            select '{self.name}' as metric, {tenant} as tenant_id, {dimensions} as dimensions, happened,
                ({self.amount})::bigint as amount, {self.lasted} as lasted, {self.member} as member
            from facts where {self.where}
        """


def _lasted(end: str, start: str) -> str:
    return f"greatest(0, {end} - {start}) / 1e6"


_PATIENTS_SCORES = "type = 'risk.scored.v1' and author_role = 'PATIENT'"
# A voided draft, which has no number, was never owed.
_OWED = (
    "(type in ('invoice.opened.v1', 'invoice.paid.v1', 'invoice.credited.v1')"
    " or (type = 'invoice.voided.v1' and number is not null))"
)
_ACTIVE = "case type when 'message.sent.v1' then author_id else user_id end"
_VISITS, _HOURS = ("minute", "hour", "day"), ("hour", "day")
_THERAPISTS = (None, "therapist_id")

DEFINITIONS: Sequence[Definition] = (
    *(
        Definition(f"appointments.{end}", f"type = 'appointment.{end}.v1'", _VISITS, _THERAPISTS)
        for end in ("booked", "cancelled", "completed", "missed")
    ),
    Definition(
        "appointments.lead-time", "type = 'appointment.booked.v1'", _HOURS, _THERAPISTS, lasted=_lasted("starts_at", "happened")
    ),
    Definition(
        "appointments.no-show-rate",
        "type in ('appointment.missed.v1', 'appointment.completed.v1')",
        ("week-by-day",),
        _THERAPISTS,
        amount="type = 'appointment.missed.v1'",
    ),
    Definition("messages.sent", "type = 'message.sent.v1'", _VISITS, (None, "author_role")),
    Definition("risk.scored", _PATIENTS_SCORES, _HOURS, (None, "level", "label")),
    Definition("risk.time-to-score", "type = 'risk.scored.v1'", _HOURS, lasted=_lasted("scored_at", "message_sent_at")),
    Definition("alerts.raised", "type = 'alert.raised.v1'", _HOURS, (None, "level")),
    Definition("alerts.escalated", "type = 'alert.escalated.v1'", _HOURS, (None, "level")),
    Definition(
        "alerts.open",
        "type in ('alert.raised.v1', 'alert.resolved.v1')",
        _HOURS,
        amount="case type when 'alert.raised.v1' then 1 else -1 end",
    ),
    Definition(
        "alerts.time-to-acknowledge",
        "type = 'alert.acknowledged.v1' and message_sent_at is not null",
        _HOURS,
        lasted=_lasted("acknowledged_at", "message_sent_at"),
    ),
    Definition("revenue.invoiced", "type = 'invoice.opened.v1'", ("day",), ("currency",), amount="total_minor"),
    Definition("revenue.paid", "type = 'invoice.paid.v1'", ("day",), ("currency",), amount="amount_minor"),
    Definition(
        "revenue.outstanding",
        _OWED,
        ("day",),
        ("currency",),
        amount="case type when 'invoice.opened.v1' then total_minor else -total_minor end",
    ),
    Definition("people.signed-up", "type = 'user.registered.v1'", _HOURS, (None, "role")),
    Definition("people.signed-in", "type = 'session.started.v1'", _HOURS, (None, "role")),
    Definition(
        "people.active", "type in ('session.started.v1', 'message.sent.v1')", ("hour", "day", "week-by-day"), member=_ACTIVE
    ),
)
"""Every metric of analytics."""

SUMS = ("appointments.no-show-rate", "alerts.open", "revenue.invoiced", "revenue.paid", "revenue.outstanding")
"""Metrics whose results tell a total."""

SMALLEST_GROUPS = {"risk.scored": 5}
"""Metrics whose results say nothing of groups that are smaller."""

_FACTS = f"""
    create table facts as select event_id, type, tenant_id, happened,
        {", ".join(f"body->>'{name}' as {name}" for name in _FIELDS)},
        {", ".join(f"epoch_us((body->>'{name}')::timestamptz) as {name}" for name in _TIMES)},
        {", ".join(f"(body->>'{name}')::bigint as {name}" for name in _AMOUNTS)}
    from (select distinct * from log)
"""

# By the clocks of its zone an event belongs to a day. Its first moment: where clocks show midnight twice, the earlier one.
_DAYS = """
    create table days as
    with hours as (
        select distinct zone, happened // 3600000000 * 3600000000 as hour from readings join zones using (tenant_id)
    ), dates as (
        select distinct zone, unnest(range(-7, 9))::int + timezone(zone, make_timestamptz(hour))::date as day from hours
    ), midnights as (select zone, day, timezone(zone, day::timestamp) as at_twelve from dates),
    twice as (select *, at_twelve - interval 1 hour as before from midnights)
    select zone, day, epoch_us(if(timezone(zone, before)::date = day, before, at_twelve)) as starts_at from twice
"""


def _each_quantile(text: str) -> str:
    return ", ".join(text.format(name=name, share=share) for name, share in QUANTILES.items())


# Each reading in each of its windows.
_PLACED = """
    create view placed as
    with lengths as (select * from (values ('minute', 60000000), ('hour', 3600000000)) as l (span, length)),
    fixed as (
        select r.*, span, happened // length * length as starts_at, happened // length * length + length as ends_at
        from readings r join metric_spans using (metric) join lengths using (span)
    ), whole_days as (select * from (values ('day', 1), ('week-by-day', 7)) as l (span, length)),
    by_date as (
        select r.*, span, length, zone, timezone(zone, make_timestamptz(happened))::date - unnest(range(length))::int as first
        from readings r join metric_spans using (metric) join whole_days using (span) join zones using (tenant_id)
    ), by_calendar as (
        select b.* exclude (length, zone, first), f.starts_at, l.starts_at as ends_at
        from by_date b join days f on f.zone = b.zone and f.day = b.first
            join days l on l.zone = b.zone and l.day = b.first + b.length
    )
    select * from fixed union all by name select * from by_calendar
"""
WINDOW = "tenant_id, metric, dimensions, span, starts_at"
"""What tells windows apart."""

_WINDOWS = f"""
    create table wanted_windows as
    select {WINDOW}, any_value(ends_at) as ends_at, coalesce(nullif(count(distinct member), 0), count(*)) as n,
        sum(amount)::bigint as total
    from placed group by {WINDOW}
"""
_BUCKETS = f"""
    create table wanted_buckets as
    select {WINDOW}, case lasted when 0 then {ZERO_BUCKET} else ceil(ln(lasted) / ln(2) * '{_PER_DOUBLING!r}'::double)::int end
        as bucket, count(*) as n
    from placed where lasted is not null group by all
"""
# DDSketch's rule: the bucket in which the value of rank q * (n - 1) lies, counted from the smallest.
_PERCENTILES = f"""
    create table wanted_percentiles as
    with counted as (
        select {WINDOW}, bucket, sum(n) over (partition by {WINDOW} order by bucket) as reached,
            sum(n) over (partition by {WINDOW})::bigint as among
        from wanted_buckets
    ), found as (
        select {WINDOW}, {_each_quantile("min(bucket) filter (reached > '{share}'::double * (among - 1)) as {name}")}
        from counted group by {WINDOW}
    )
    select {WINDOW}, {_each_quantile("(select value from bucket_values where bucket = found.{name}) as {name}")} from found
"""


class Batch:
    """All records that were told, and what they come to."""

    def __init__(self, folder: Path, zones: Mapping[UUID, str]) -> None:
        self.sql = duckdb.connect(str(folder / "batch.duckdb"))
        self.sql.execute("set TimeZone = 'UTC'; set memory_limit = '8GB'; set threads = 2")
        self.sql.execute(_LOG)
        self.sql.execute("create table zones (tenant_id uuid, zone varchar)")
        self.sql.executemany(
            "insert into zones values (?, ?)", [*((str(k), v) for k, v in zones.items()), (str(EVERYBODY), "UTC")]
        )

    def add(self, portion: Sequence[Told]) -> None:
        """Take note of records, those that repeat an event too."""
        records = pa.table(
            {
                "event_id": [str(each.event_id) for each in portion],
                "type": [each.type for each in portion],
                "tenant_id": [str(each.tenant_id) for each in portion],
                "happened": [microseconds(each.time) for each in portion],
                "body": [each.value.decode() for each in portion],
            }
        )
        self.sql.register("records", records)
        self.sql.execute("insert into log select event_id::uuid, type, tenant_id::uuid, happened, body from records")

    def reckon(self) -> int:
        """Work out what every window must hold; returns how many different events there are."""
        self.sql.execute(_FACTS)
        self.sql.execute("create view readings as " + " union all ".join(each.readings() for each in DEFINITIONS))
        self.sql.execute("create table metric_spans (metric varchar, span varchar)")
        pairs = [(each.name, span) for each in DEFINITIONS for span in each.spans]
        self.sql.executemany("insert into metric_spans values (?, ?)", pairs)
        for statement in (_DAYS, _PLACED, _WINDOWS, _BUCKETS):
            self.sql.execute(statement)
        self.sql.execute("create table bucket_values (bucket int, value double)")
        buckets = [bucket for (bucket,) in self.sql.execute("select distinct bucket from wanted_buckets").fetchall()]
        self.sql.executemany("insert into bucket_values values (?, ?)", [(each, value_of(each)) for each in buckets])
        self.sql.execute(_PERCENTILES)
        ((events,),) = self.sql.execute("select count(*) from facts").fetchall()
        return int(events)


def value_of(bucket: int) -> float:
    """What stands for the values of a bucket."""
    return 0.0 if bucket == ZERO_BUCKET else math.pow(2.0, bucket / _PER_DOUBLING) * (2.0 / (1 + _GAMMA))


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
