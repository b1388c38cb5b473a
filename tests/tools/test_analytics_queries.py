"""Every statement of the dashboards runs under the role that Grafana has, and that role sees no more than it should."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.tools.committed_dashboards import COMMITTED, targets

from analytics.domain.metric import Aggregate
from analytics.domain.metrics import METRICS
from analytics.domain.spans import SPANS
from local_stack.postgres import PostgresServer, ServiceDatabase
from tools.dashboards.grafana import TENANTS
from tools.steps import ROOT

READER = (ROOT / "deploy/observability/grafana/reader.sql").read_text()
PLATFORM = UUID(int=0)
STATEMENTS = sorted({target["rawSql"] for board in COMMITTED for target in targets(board) if "rawSql" in target})
START = datetime(2026, 11, 2, tzinfo=UTC)
FROM, TO = START - timedelta(days=1), START + timedelta(days=40)
PASSWORD = "reader-of-this-test"

Reader = asyncpg.Connection
Write = Callable[..., Awaitable[None]]


def as_grafana_sends(statement: str, tenant: UUID) -> str:
    """The statement with Grafana's macro and the chosen tenant filled in."""
    between = rf"\1 BETWEEN '{FROM.isoformat()}' AND '{TO.isoformat()}'"
    return re.sub(r"\$__timeFilter\((\w+)\)", between, statement).replace("${tenant:sqlstring}", f"'{tenant}'")


def groups_of(statement: str) -> int:
    """How many groups of the filled tenant a statement shows: the whole, one value of its dimension, or both."""
    groupings = METRICS[re.search(r"metric = '([^']+)'", statement)[1]].groupings
    dimension = re.search(r"dimensions \? '(\w+)'", statement)
    shown = [(), (dimension[1],)] if dimension else [()]
    return sum(grouping in groupings for grouping in shown)


def make_reader(server: PostgresServer, database: ServiceDatabase, *tenants: UUID) -> None:
    """Run the committed script as psql does for an operator."""
    told = f"\\set password '{PASSWORD}'\n"
    if tenants:
        told += f"\\set tenants '{','.join(map(str, tenants))}'\n"
    server.sql(told + READER, database=database.name)


@pytest.fixture(scope="module")
def database(service_database: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    return service_database("analytics")


@pytest.fixture(scope="module")
def tenant() -> UUID:
    return uuid4()


@pytest.fixture(scope="module")
async def reader(postgres_server: PostgresServer, database: ServiceDatabase, tenant: UUID) -> AsyncIterator[Reader]:
    """A connection as Grafana's, of a role that may see the platform and one tenant; the script ran twice."""
    make_reader(postgres_server, database)
    make_reader(postgres_server, database, PLATFORM, tenant)
    host, port = postgres_server.address.split(":")
    connection = await asyncpg.connect(
        host=host, port=int(port), user="analytics_dashboards", password=PASSWORD, database=database.name
    )
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def write(database: ServiceDatabase) -> AsyncIterator[Write]:
    """Writes a window as analytics does, in its own role."""
    connection = await asyncpg.connect(database.app_url)

    async def window(tenant: UUID, metric: str, span: str, start: datetime, n: int, total: int = 0, **more: Any) -> None:
        dimensions = json.dumps(more.get("dimensions", {}), separators=(",", ":"), sort_keys=True)
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant_id', $1, true)", str(tenant))
            series_id = await connection.fetchval(
                "insert into series (metric, dimensions) values ($1, $2) on conflict (tenant_id, metric, dimensions)"
                " do nothing returning id",
                metric,
                dimensions,
            ) or await connection.fetchval("select id from series where metric = $1 and dimensions = $2", metric, dimensions)
            known = (series_id, span, start, start + SPANS[span].length, n, total)
            if more.get("closed"):
                statement = (
                    "insert into closed_windows (series_id, span, starts_at, ends_at, n, total, revision, closed_at)"
                    " values ($1, $2, $3, $4, $5, $6, 1, now())"
                )
            else:
                statement = "insert into windows (series_id, span, starts_at, ends_at, n, total) values ($1, $2, $3, $4, $5, $6)"
            await connection.execute(statement, *known)

    yield window
    await connection.close()


@pytest.fixture(scope="module")
async def filled(write: Write, tenant: UUID) -> UUID:
    """A tenant with a window of every metric, span and group on each of three days, and a stranger with more."""
    for owner, n in ((tenant, 8), (uuid4(), 1000)):
        for metric in METRICS.values():
            for span in metric.spans:
                for grouping in metric.groupings:
                    for day in range(3):
                        group = {name: "EUR" if name == "currency" else f"a {name}" for name in grouping}
                        await write(owner, metric.name, span.name, START + timedelta(days=day), n, 2, dimensions=group)
    return tenant


def test_there_are_statements_and_each_asks_the_view_alone():
    assert len(STATEMENTS) > 12
    for statement in STATEMENTS:
        assert set(re.findall(r"(?:from|join) ([a-z_.]+)", statement)) == {"dashboards.results"}


def test_statements_ask_for_metrics_spans_and_groups_that_analytics_has():
    for statement in STATEMENTS:
        metric = METRICS[re.search(r"metric = '([^']+)'", statement)[1]]
        assert re.search(r"span = '([^']+)'", statement)[1] in {span.name for span in metric.spans}
        dimension = re.search(r"dimensions \? '(\w+)'", statement)
        assert ((dimension[1],) if dimension else ()) in metric.groupings
        assert "total" not in statement or metric.aggregate in {Aggregate.SUM, Aggregate.SHARE}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: "-".join(re.findall(r"'([a-z.-]+)'", statement)[:2]))
async def test_a_statement_gives_a_time_a_legend_and_a_number_of_the_chosen_tenant(statement: str, reader: Reader, filled: UUID):
    rows = await reader.fetch(as_grafana_sends(statement, filled))

    assert len(rows) == 3 * groups_of(statement)
    assert {tuple(row.keys()) for row in rows} == {("time", "series", "value")}
    assert all(isinstance(row["time"], datetime) and row["series"] and 0 < row["value"] < 1000 for row in rows)
    assert all(earlier["time"] <= later["time"] for earlier, later in pairwise(rows))


async def test_what_is_owed_is_the_sum_of_all_changes_and_missed_visits_are_a_share(reader: Reader, filled: UUID):
    owed = next(each for each in STATEMENTS if "as owed" in each)
    missed = next(each for each in STATEMENTS if "no-show-rate" in each)

    assert [row["value"] for row in await reader.fetch(as_grafana_sends(owed, filled))] == [2, 4, 6]
    assert {row["value"] for row in await reader.fetch(as_grafana_sends(missed, filled))} == {0.25}


async def test_the_list_of_tenants_is_of_those_that_the_role_may_see(reader: Reader, write: Write, filled: UUID):
    await write(PLATFORM, "appointments.booked", "hour", START, 5)

    assert [row[0] for row in await reader.fetch(TENANTS)] == [str(PLATFORM), str(filled)]


async def test_no_setting_of_the_session_opens_another_tenant(reader: Reader, write: Write, filled: UUID):
    stranger = uuid4()
    await write(stranger, "appointments.booked", "hour", START, 5)
    async with reader.transaction():
        await reader.execute("select set_config('app.tenant_id', $1, true)", str(stranger))
        assert await reader.fetch("select 1 from dashboards.results where tenant_id = $1", stranger) == []
        assert await reader.fetch("select 1 from dashboards.results where tenant_id = $1 limit 1", filled)


async def test_a_correction_is_added_to_what_was_closed(reader: Reader, write: Write, tenant: UUID):
    long_ago = START - timedelta(days=300)
    await write(tenant, "appointments.booked", "hour", long_ago, 5, closed=True)
    await write(tenant, "appointments.booked", "hour", long_ago, 1)
    row = await reader.fetchrow("select * from dashboards.results where tenant_id = $1 and starts_at = $2", tenant, long_ago)

    assert (row["count"], row["is_final"]) == (6, False)


async def test_groups_too_small_and_single_therapists_are_not_shown(reader: Reader, write: Write, tenant: UUID):
    last_year = START - timedelta(days=400)
    await write(tenant, "risk.scored", "hour", last_year, 4, dimensions={"level": "high"})
    await write(tenant, "appointments.booked", "hour", last_year, 9, dimensions={"therapist_id": str(uuid4())})
    rows = await reader.fetch("select * from dashboards.results where tenant_id = $1 and starts_at = $2", tenant, last_year)

    assert [(row["metric"], row["count"], row["total"], row["is_suppressed"]) for row in rows] == [
        ("risk.scored", None, None, True)
    ]


def test_the_smallest_groups_are_those_of_the_metrics():
    said = {name: int(least) for name, least in re.findall(r"\('([a-z.-]+)', (\d+)\)", READER)}

    assert said == {metric.name: metric.smallest_group for metric in METRICS.values() if metric.smallest_group > 1}


@pytest.mark.parametrize(
    "table",
    [
        "public.series",
        "public.windows",
        "public.closed_windows",
        "public.window_members",
        "public.people",
        "public.outbox",
        "dashboards.readers",
    ],
)
async def test_the_role_reads_no_table(table: str, reader: Reader):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.fetch(f"select * from {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "create table dashboards.mine (id int)",
        "create temporary table mine (id int)",
        "insert into dashboards.readers values ('x', null)",
    ],
)
async def test_the_role_writes_nothing_even_where_it_takes_off_its_own_read_only_setting(statement: str, reader: Reader):
    await reader.execute("set default_transaction_read_only = off")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute(statement)
    finally:
        await reader.execute("reset default_transaction_read_only")
    with pytest.raises((asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError)):
        await reader.execute(statement)


async def test_taking_a_tenant_off_the_list_closes_it(
    postgres_server: PostgresServer, database: ServiceDatabase, reader: Reader, filled
):
    make_reader(postgres_server, database)
    try:
        assert await reader.fetch("select 1 from dashboards.results where tenant_id = $1", filled) == []
    finally:
        make_reader(postgres_server, database, PLATFORM, filled)
