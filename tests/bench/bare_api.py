"""What the services' APIs are measured against: bare Starlette and asyncpg, without contract, tenant, token or log.

`python -m tests.bench.bare_api PORT`; the database's address comes from BENCH_DATABASE_URL. GET /appointments/{id} reads a row,
POST /appointments writes an appointment and an outbox row in one transaction.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_GET = """select id, patient_id, therapist_id, visit_type, status, starts_at, ends_at, revision, booked_at
    from appointments where id = $1"""
_INSERT = "insert into bare_appointments (id, patient_id, therapist_id, starts_at, ends_at) values ($1, $2, $3, $4, $5)"
_OUTBOX = "insert into bare_outbox (event_id, payload) values ($1, $2)"
_TABLES = """
create table if not exists bare_appointments
    (id uuid primary key, patient_id uuid, therapist_id uuid, starts_at text, ends_at text);
create table if not exists bare_outbox (id bigint generated always as identity primary key, event_id uuid, payload bytea);
"""


def create_app(url: str) -> Starlette:
    """The two routes on a pool of eight connections."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url, min_size=8, max_size=8) as pool:
            await pool.execute(_TABLES)
            app.state.pool = pool
            yield

    async def get(request: Request) -> Response:
        row = await request.app.state.pool.fetchrow(_GET, UUID(request.path_params["id"]))
        return Response(orjson.dumps(dict(row), default=str), media_type="application/json")

    async def post(request: Request) -> Response:
        body = orjson.loads(await request.body())
        made = uuid4()
        async with request.app.state.pool.acquire() as connection, connection.transaction():
            await connection.execute(_INSERT, made, uuid4(), UUID(body["therapistId"]), body["startAt"], body["endAt"])
            await connection.execute(_OUTBOX, uuid4(), orjson.dumps(body))
        return Response(orjson.dumps({"id": str(made), **body}), 201, media_type="application/json")

    routes = [Route("/appointments/{id}", get), Route("/appointments", post, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    app = create_app(os.environ["BENCH_DATABASE_URL"])
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="error"
    )
