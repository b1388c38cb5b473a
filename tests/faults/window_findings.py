"""What analytics made of the events, in its tables and on its topics, laid beside what a batch makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa
from tests.faults.log_reader import read_topic
from tests.faults.window_batch import QUANTILES, SMALLEST_GROUPS, SUMS, WINDOW, Batch, microseconds

from bloom_events.analytics import EVENTS
from service_kit.database import Connection

_KEY = "s.tenant_id, s.metric, s.dimensions, w.span, (extract(epoch from w.starts_at) * 1000000)::bigint as starts_at"
_ENDS = "(extract(epoch from w.ends_at) * 1000000)::bigint as ends_at"
_OF_TENANTS = "join series s on s.id = w.series_id where s.tenant_id = any($1)"
_TABLES = {
    "windows": f"""
        select {_KEY}, {_ENDS}, w.n, w.total, w.revision, w.is_final, false as is_closed from windows w {_OF_TENANTS}
        union all
        select {_KEY}, {_ENDS}, w.n, w.total, w.revision, true, true from closed_windows w {_OF_TENANTS}
    """,
    "buckets": f"""
        select {_KEY}, w.bucket, w.n from window_buckets w {_OF_TENANTS}
        union all
        select {_KEY}, b.key::int, b.value::bigint
        from closed_windows w cross join lateral jsonb_each_text(w.buckets) b {_OF_TENANTS}
    """,
    "members": f"""
        select {_KEY}, encode(w.member, 'hex') as member from window_members w {_OF_TENANTS}
        union all
        select {_KEY}, encode(substr(w.members, at, 16), 'hex') from closed_windows w
            cross join lateral generate_series(1, length(w.members), 16) as at {_OF_TENANTS}
    """,
}
_KEY_COLUMNS = {"tenant_id": "uuid", "metric": "varchar", "dimensions": "varchar", "span": "varchar", "starts_at": "bigint"}
_NUMBERS = dict.fromkeys(("ends_at", "n", "total", "revision"), "bigint")
TABLE_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "windows": {**_KEY_COLUMNS, **_NUMBERS, "is_final": "boolean", "is_closed": "boolean"},
    "buckets": {**_KEY_COLUMNS, "bucket": "int", "n": "bigint"},
    "members": {**_KEY_COLUMNS, "member": "varchar"},
    "results": {
        **_KEY_COLUMNS,
        **dict.fromkeys(("ends_at", "revision", "count", "told_total"), "bigint"),
        **dict.fromkeys(("is_final", "is_suppressed"), "boolean"),
        **dict.fromkeys(QUANTILES, "double"),
    },
}
"""What can be taken and laid beside the batch; times in microseconds since 1970, members in hexadecimal digits."""

# A row of `windows` beside one of `closed_windows` is what came late; the window is both together.
_STATE = f"""
    create or replace table state as
    with people as (select {WINDOW}, count(distinct member) as people from found_members group by all)
    select {WINDOW}, any_value(ends_at) as ends_at, coalesce(any_value(people), sum(n)::bigint) as n, sum(total)::bigint as total,
        max(revision) as revision, bool_and(is_final) as is_final, bool_or(is_closed) as is_closed
    from found_windows left join people using ({WINDOW}) group by {WINDOW}
"""
_WRONG_MEMBERS = f"""
    from (select {WINDOW}, any_value(n) as n from found_windows where metric = 'people.active' group by all having count(*) = 1) w
    where n <> (select count(*) from found_members m where {" and ".join(f"m.{name} = w.{name}" for name in WINDOW.split(", "))})
"""
_TELLS_TOTAL = f"metric in {SUMS}"
_TOO_SMALL = " or ".join(f"(metric = '{name}' and n < {size})" for name, size in SMALLEST_GROUPS.items())
_WANTED_RESULTS = f"""
    select w.*, {_TOO_SMALL} as is_suppressed, case when not ({_TOO_SMALL}) then n end as count,
        case when {_TELLS_TOTAL} then w.total end as told_total, {", ".join(QUANTILES)}
    from wanted_windows w left join wanted_percentiles using ({WINDOW})
"""
_RESULT_FIELDS = ("ends_at", "is_suppressed", "count", "told_total", *QUANTILES)


@dataclass
class Findings:
    """Compares by SQL what was found with what was wanted, for some tenants; the rest has to do with others."""

    batch: Batch
    tenants: Sequence[UUID]
    folder: Path

    async def load_state(self, connection: Connection) -> None:
        """Take what the tables hold."""
        for name, query in _TABLES.items():
            file = self.folder / f"{name}.csv"
            await connection.copy_from_query(query, list(self.tenants), output=file, format="csv", header=True)
            csv = f"read_csv('{file}', header = true, columns = {TABLE_COLUMNS[name]})"
            self.batch.sql.execute(f"create or replace table found_{name} as from {csv}")
        self.batch.sql.execute(_STATE)

    def load_results(self, bootstrap: str) -> list[str]:
        """Take the newest revision of every window from the topics; says where revisions did not go up."""
        newest: dict[str, dict[str, Any]] = {}
        back = 0
        for kind in EVENTS:
            for seen in read_topic(bootstrap, kind.TOPIC.name):
                result = {**orjson.loads(seen.value), "tenant_id": str(seen.tenant_id)}
                before = newest.get(result["window_id"])
                back += before is not None and result["revision"] <= before["revision"]
                newest[result["window_id"]] = result
        self.take("results", [_row(each) for each in newest.values()])
        return [f"{back} revisions came after one that is not older"] if back else []

    def take_state(self, tables: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """Take windows, buckets and members, wherever they were."""
        for name, rows in tables.items():
            self.take(name, rows)
        self.batch.sql.execute(_STATE)

    def take(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Take rows with the columns of `TABLE_COLUMNS`."""
        table, columns = f"found_{name}", TABLE_COLUMNS[name]
        self.batch.sql.execute(f"create or replace table {table} ({', '.join(map(' '.join, columns.items()))})")
        if rows:
            self.batch.sql.register("rows", pa.table({column: [row[column] for row in rows] for column in columns}))
            self.batch.sql.execute(f"insert into {table} by name select * replace (tenant_id::uuid as tenant_id) from rows")

    def wrong_state(self) -> list[str]:
        """Windows, buckets and members that are not what the batch has."""
        return [
            *self._differences("windows", "wanted_windows", "state", ("ends_at", "n", "total")),
            *self._differences("buckets", "wanted_buckets", "found_buckets", ("n",), key=f"{WINDOW}, bucket"),
            *self._count("windows whose count is not that of their members", _WRONG_MEMBERS),
        ]

    def wrong_results(self, *, lateness: timedelta, asked_at: datetime) -> list[str]:
        """Results that are not what the batch has, are not the newest state, or are final too early or not in time."""
        now = microseconds(asked_at)
        due = f"ends_at + {lateness // timedelta(microseconds=1)} <= {now}"
        return [
            *self._differences("results", f"({_WANTED_RESULTS})", "found_results", _RESULT_FIELDS),
            *self._differences("revisions", "state", "found_results", ("revision", "is_final")),
            *self._count("results that are not final", f"from found_results where {due} and not is_final"),
            *self._count("results that are final before their end", f"from found_results where ends_at > {now} and is_final"),
        ]

    def figures(self) -> dict[str, object]:
        """How much there was to compare."""
        counted = {
            "windows": "from wanted_windows",
            "closed": "from state where is_closed",
            "open": "from state where not is_final",
            "buckets": "from wanted_buckets",
            "members": "from found_members",
            "results": "from found_results",
            "suppressed": "from found_results where is_suppressed",
        }
        return {name: self._one(f"select count(*) {query}") for name, query in counted.items()}

    def _differences(self, what: str, wanted: str, found: str, fields: Sequence[str], *, key: str = WINDOW) -> list[str]:
        columns = f"select true as here, {key}, {', '.join(fields)}"
        own = f"where tenant_id in ({', '.join(repr(str(each)) for each in self.tenants)})"
        differs = " or ".join(f"w.{name} is distinct from f.{name}" for name in ("here", *fields))
        query = f"""
            with w as ({columns} from {wanted} {own}), f as ({columns} from {found} {own})
            select {key}, {", ".join(f"w.{name}, f.{name}" for name in ("here", *fields))}
            from w full join f using ({key}) where {differs}
        """
        ((number,),) = self.batch.sql.execute(f"select count(*) from ({query})").fetchall()
        if not number:
            return []
        example = self.batch.sql.execute(f"{query} order by metric, span, starts_at limit 1").fetchone()
        return [f"{number} {what} differ: wanted, then found, {' '.join(map(str, example or ()))}"]

    def _count(self, what: str, query: str) -> list[str]:
        number = self._one(f"select count(*) {query}")
        return [f"{number} {what}"] if number else []

    def _one(self, query: str) -> int:
        ((number,),) = self.batch.sql.execute(query).fetchall()
        return int(number)


def _row(result: dict[str, Any]) -> dict[str, Any]:
    """One result as the batch would have it."""
    percentiles = result["percentiles"] or dict.fromkeys(QUANTILES)
    return {
        **{name: result[name] for name in ("tenant_id", "metric", "span", "revision", "is_final", "is_suppressed", "count")},
        "dimensions": orjson.dumps(result["dimensions"], option=orjson.OPT_SORT_KEYS).decode(),
        "starts_at": microseconds(datetime.fromisoformat(result["window_start"])),
        "ends_at": microseconds(datetime.fromisoformat(result["window_end"])),
        "told_total": result["total"],
        **percentiles,
    }
