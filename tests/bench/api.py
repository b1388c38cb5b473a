"""Rows about the APIs: a read against bare Starlette, a booking against a bare POST, and others during a flood of sign-ins."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
from tests.bench.http_load import Plan, measure
from tests.bench.measure import paired, percentile
from tests.faults.bookings import Clinic, open_clinic, slots
from tests.faults.lab import Lab, World

from local_stack.ports import free_port
from local_stack.process import ChildProcess
from local_stack.services import http_status
from tools.results import Row

POSTGRES = {"max_connections": "100", "shared_buffers": "256MB"}
READS_PER_SECOND, WRITES_PER_SECOND = 400, 200


async def api_vs_starlette(*, long: bool) -> list[Row]:
    """Reading one appointment: answers per second as fast as they come, and p99 at 400 requests per second."""
    rounds, seconds = (8, 8.0) if long else (4, 4.0)
    async with Lab(POSTGRES) as lab, lab.world() as world, _both(world) as (ours, theirs):
        clinic = await open_clinic(world, therapists=1)
        path, headers = await _one_booking(world, clinic, ours)
        fast = Plan(ours, [("GET", f"/api{path}", headers, "")], seconds)
        bare = Plan(theirs, [("GET", path, {}, "")], seconds)
        rps = await paired(rounds, lambda: _rate(fast), lambda: _rate(bare), say="GET", unit="requests/s")
        steady, bare_steady = replace(fast, rate=READS_PER_SECOND), replace(bare, rate=READS_PER_SECOND)
        p99 = await paired(rounds, lambda: _p99(steady), lambda: _p99(bare_steady), say=f"GET at {READS_PER_SECOND}/s", unit="ms")
    name = "GET over bare Starlette"
    return [
        rps.row("api-vs-starlette", f"{name}, requests per second", goal=">= 0.55", ok=lambda ratio: ratio >= 0.55, unit="per_s"),
        p99.row("api-vs-starlette-p99", f"{name}, p99 at 400/s", goal="<= 1.5", ok=lambda ratio: ratio <= 1.5, unit="ms"),
    ]


async def post_vs_bare_post(*, long: bool) -> list[Row]:
    """A whole booking (token, idempotency key, row security, slots, outbox) against two bare inserts, p99 at 200 per second."""
    rounds, seconds = (8, 8.0) if long else (4, 5.0)
    async with Lab(POSTGRES) as lab, lab.world() as world, _both(world) as (ours, theirs):
        clinic = await open_clinic(world, therapists=40)
        bookings = _bookings(world, clinic)
        count = int(WRITES_PER_SECOND * seconds * 1.2)

        async def booked() -> float:
            return await _p99(Plan(ours, list(itertools.islice(bookings, count)), seconds, rate=WRITES_PER_SECOND))

        async def bare() -> float:
            asked: list[tuple[str, str, dict[str, str], str]] = [
                ("POST", "/appointments", {}, body) for _, _, _, body in itertools.islice(bookings, count)
            ]
            return await _p99(Plan(theirs, asked, seconds, rate=WRITES_PER_SECOND))

        pair = await paired(rounds, booked, bare, say=f"POST at {WRITES_PER_SECOND}/s", unit="ms")
    name = "whole booking over a bare POST, p99 at 200/s"
    return [pair.row("post-vs-bare-post", name, goal="<= 2", ok=lambda ratio: ratio <= 2, unit="ms")]


async def login_flood(*, long: bool) -> list[Row]:
    """p99 of `GET /api/users/me` at 50 per second while sign-ins come as fast as they are answered, and without them."""
    rounds, seconds = (8, 8.0) if long else (4, 5.0)
    async with Lab(POSTGRES) as lab, lab.world() as world:
        unlimited = {f"AUTH_SIGN_IN_LIMIT_PER_{who}": "100000/second" for who in ("CLIENT", "ACCOUNT")}
        key = {"AUTH_MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}
        auth = await world.started("auth", "api", extra={**unlimited, **key})
        token, body = await _account(world, auth.port)
        others = Plan(auth.port, [("GET", "/api/users/me", {"Authorization": f"Bearer {token}"}, "")], seconds, 8, rate=50)
        flood = Plan(auth.port, [("POST", "/api/auth/sign-in", {}, body)], seconds, 8, expected=(200, 503))

        async def flooded() -> float:
            found, _ = await asyncio.gather(_p99(others), measure(flood))
            return found

        pair = await paired(rounds, flooded, lambda: _p99(others), say="GET during a flood and without", unit="ms")
    name = "p99 of other requests during a flood of sign-ins over without"
    return [pair.row("login-flood", name, goal="<= 1.5", ok=lambda ratio: ratio <= 1.5, unit="ms")]


async def _rate(plan: Plan) -> float:
    found = await measure(plan)
    _all_expected(found.unexpected)
    return found.rate


async def _p99(plan: Plan) -> float:
    found = await measure(plan)
    _all_expected(found.unexpected)
    return percentile(found.milliseconds, 0.99)


def _all_expected(unexpected: dict[str, int]) -> None:
    if unexpected:
        raise RuntimeError(f"answers with a status that was not expected: {unexpected}")


@asynccontextmanager
async def _both(world: World) -> AsyncIterator[tuple[int, int]]:
    """The ports of the appointments API and of the bare one, on the same server of PostgreSQL."""
    api = await world.started("appointments", "api")
    port = free_port()
    database = world.databases["appointments"].name
    bare = ChildProcess(
        "bare-api",
        [sys.executable, "-m", "tests.bench.bare_api", str(port)],
        log=world.folder / "bare-api.log",
        pid_file=world.folder / "bare-api.pid",
        environment={**os.environ, "BENCH_DATABASE_URL": world.postgres.url("postgres", database)},
        folder=Path.cwd(),
        guarded=True,
    )
    bare.start()
    try:
        bare.wait_ready(lambda: http_status(port, "/") is not None, 30)
        yield api.port, port
    finally:
        bare.kill()


def _bookings(world: World, clinic: Clinic) -> Iterator[tuple[str, str, dict[str, str], str]]:
    """Endless bookings of free slots, each by a patient of its own with a key of its own."""

    def request(slot: dict[str, str], therapist: object) -> tuple[str, str, dict[str, str], str]:
        headers = world.lab.issuer.headers(role="PATIENT", tenant_id=clinic.tenant_id, subject=uuid4())
        body = httpx.Request("POST", "http://x", json={"therapistId": str(therapist), "visitType": "standard", **slot}).content
        return "POST", "/api/appointments", {**headers, "Idempotency-Key": str(uuid4())}, body.decode()

    return itertools.chain.from_iterable((request(slot, therapist) for therapist in clinic.therapists) for slot in slots())


async def _one_booking(world: World, clinic: Clinic, port: int) -> tuple[str, dict[str, str]]:
    """The path of an appointment, without the leading /api, and the headers of its patient."""
    method, path, headers, body = next(_bookings(world, clinic))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        answer = await client.request(method, path, content=body, headers={"Content-Type": "application/json"})
        answer.raise_for_status()
    token = {"Authorization": headers["Authorization"]}
    return f"/appointments/{answer.json()['appointment']['id']}", token


async def _account(world: World, port: int) -> tuple[str, str]:
    """A new patient: an access token, and the body of a sign-in."""
    connection = await world.superuser("auth")
    slug = f"bench-{int(time.time())}"
    await connection.execute("insert into tenants (id, slug, name, created_at) values ($1, $2, 'Bench', now())", uuid4(), slug)
    await connection.close()
    who = {"tenant": slug, "email": "robin@example.test", "password": f"{uuid4()}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        registered = await client.post("/api/auth/register", json={**who, "role": "PATIENT", "displayName": "Robin"})
        registered.raise_for_status()
        signed_in = await client.post("/api/auth/sign-in", json=who)
        signed_in.raise_for_status()
    return signed_in.json()["access_token"], httpx.Request("POST", "http://x", json=who).content.decode()
