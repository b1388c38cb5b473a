"""One round of the consumer bench, as a process of its own: a Faust worker with whole fetches, with or without the inbox.

`python -m tests.bench.inbox_consumer GROUP COUNT with|without`, with BILLING_* variables for the settings. Each fetch is
one transaction that adds every record to a state table; with the inbox, only those seen for the first time. Prints events
per second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from uuid import UUID

import uvloop

from billing.settings import Settings
from bloom_events.registry import unwrap
from bloom_events.topics import APPOINTMENTS
from service_kit import inbox
from service_kit.database import create_pool
from service_kit.faust_app import Fetch, create_faust_app, run_app, take_fetches

TABLE = "create table if not exists bench_seen (tenant_id uuid, day date, events bigint, primary key (tenant_id, day))"
_ADD = """
insert into bench_seen (tenant_id, day, events)
select t, d, count(*) from unnest($1::uuid[], $2::date[]) as r (t, d) group by t, d
on conflict (tenant_id, day) do update set events = bench_seen.events + excluded.events
"""


async def run(settings: Settings, group: str, count: int, *, with_inbox: bool) -> float:
    """Consume `count` records from the beginning; returns events per second from the first fetch to the last."""
    pool = await create_pool(settings.database_url, size=2, application_name="bench")
    app = create_faust_app(settings, app_id=group)
    stop = asyncio.Event()
    handled, started, ended = 0, 0.0, 0.0

    async def handle(fetch: Fetch) -> None:
        nonlocal handled, started, ended
        started = started or time.monotonic()
        envelopes = {
            envelope.id: envelope for records in fetch.values() for r in records for envelope in [unwrap(r.headers, r.value)]
        }
        async with pool.acquire() as connection, connection.transaction():
            wanted: set[UUID] = set(envelopes)
            if with_inbox:
                wanted = await inbox.first_times(connection, group, list(envelopes))
            fresh = [envelopes[key] for key in envelopes if key in wanted]
            await connection.execute(_ADD, [each.tenant_id for each in fresh], [each.time.date() for each in fresh])
        handled += len(envelopes)
        if handled >= count:
            ended = time.monotonic()
            stop.set()

    take_fetches(app, [APPOINTMENTS.name], handle)
    async with pool:
        await run_app(app, stop)
    return count / (ended - started)


if __name__ == "__main__":
    name, number, how = sys.argv[1:4]
    print(uvloop.run(run(Settings(), name, int(number), with_inbox=how == "with")))
