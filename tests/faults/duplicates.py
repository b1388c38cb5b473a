"""Row 6: the same request eight times at once, and its key with another body: one effect, and one answer or a fitting refusal."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from uuid import uuid4

from tests.faults.lab import START_SECONDS, Lab, World
from tests.faults.plain_http import PlainHttp
from tests.faults.repeatable import AUTH_SETTINGS, Kind, Request, kinds
from tests.faults.row import Finding, until

AT_ONCE = 8
GROUPS_AT_ONCE = 3
SHORT, LONG = 500, 10_000
HELD_PER_KIND = 2
SERVICES = ("appointments", "billing", "auth")
# Out of twenty: half book, the dear ones that hash a password are few.
_SHARES = {"book a visit": 10, "add an exception": 4, "record a payment": 4, "register": 1, "invite a therapist": 1}
_FORGET_ANSWERS = "create rule forget as on insert to idempotency_keys do instead nothing"
_WAITING = "select count(*) from pg_locks where not granted and relation = 'idempotency_keys'::regclass"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as far as this row looks at it."""

    status: int
    body: bytes
    is_replayed: bool
    is_other: bool

    @property
    def problem(self) -> str:
        """The last part of the problem's type; empty for a success."""
        return "" if self.status < 400 else str(json.loads(self.body).get("type", "")).rpartition("/")[2].rpartition(":")[2]


@dataclass
class Tally:
    """What was asked, what came back, and what of it was wrong."""

    wrong: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Scene:
    """Running APIs, and clients for them."""

    world: World
    clients: Mapping[str, PlainHttp]

    async def ask(self, kind: Kind, request: Request, key: str, *, other: bool = False) -> Told:
        """Send a request under a key, or its other body."""
        body = json.dumps(request.other_body if other else request.body).encode()
        reply = await self.clients[kind.service].post(request.path, {**request.headers, "Idempotency-Key": key}, body)
        return Told(reply.status, reply.body, reply.headers.get("idempotency-replayed") == "true", other)

    async def count(self, service: str, query: str) -> int:
        """What the superuser counts in a service's database."""
        connection = await self.world.superuser(service)
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()


async def run(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """As many groups of duplicates as the matrix says; then a few while no answer is kept, which must be noticed."""
    count = LONG if long else SHORT
    async with lab.world(with_kafka=False) as world:
        scene = await _scene(world)
        try:
            every = await kinds(world, _ports(scene), count=count // 4 + 100)
            tally = await _round(scene, every, count, rng)
            for kind in every:
                for _ in range(HELD_PER_KIND):
                    tally.wrong += await _wrong_while_running(scene, kind)
            seen = await _bug_is_seen(scene, every, rng)
        finally:
            for client in scene.clients.values():
                client.close()
    figures = {"requests": count * (AT_ONCE + 2), **tally.groups, "answers": dict(tally.answers)}
    return Finding(tally.wrong, count, figures, planted_bug_seen=seen)


async def _scene(world: World) -> Scene:
    # A busy machine must not turn into 503, which is right then and no answer that this row knows.
    patience = {f"{each.upper()}_DATABASE_ACQUIRE_SECONDS": "30" for each in SERVICES}
    apis = [await world.process(each, "api", extra={**patience, **AUTH_SETTINGS}) for each in SERVICES]
    for api in apis:
        api.start()
    for api in apis:
        await asyncio.to_thread(api.wait_ready, START_SECONDS)
    return Scene(world, {each: PlainHttp(api.port) for each, api in zip(SERVICES, apis, strict=True)})


def _ports(scene: Scene) -> dict[str, int]:
    return {service: client.port for service, client in scene.clients.items()}


async def _round(scene: Scene, every: Sequence[Kind], count: int, rng: random.Random) -> Tally:
    """So many groups, some of them beside each other; then a look at what they did."""
    tally, before = Tally(), await _effects(scene, every)
    by_name = {kind.name: kind for kind in every}
    order = [by_name[name] for name, share in _SHARES.items() if name in by_name for _ in range(share)]
    rng.shuffle(order)
    turns = (kind for _, kind in zip(range(count), cycle(order), strict=False))

    async def work() -> None:
        for kind in turns:
            await _one_group(scene, kind, tally, is_mixed=rng.random() < 0.25)

    await asyncio.gather(*(work() for _ in range(GROUPS_AT_ONCE)))
    after = await _effects(scene, every)
    for kind in every:
        if (effects := after[kind.name] - before[kind.name]) != tally.groups[kind.name]:
            tally.wrong.append(f"{kind.name}: {effects} effects of {tally.groups[kind.name]} requests")
    return tally


async def _effects(scene: Scene, every: Iterable[Kind]) -> dict[str, int]:
    return {kind.name: await scene.count(kind.service, kind.effects) for kind in every}


async def _one_group(scene: Scene, kind: Kind, tally: Tally, *, is_mixed: bool) -> None:
    """Eight at once under one key, in a mixed group half of them with the other body; then one more of each body."""
    request, key = next(kind.requests), str(uuid4())
    told = await asyncio.gather(
        *(scene.ask(kind, request, key, other=is_mixed and bool(number % 2)) for number in range(AT_ONCE))
    )
    tally.groups[kind.name] += 1
    if tally.groups.total() % 250 == 0:
        print(f"   {tally.groups.total()} requests duplicated, {len(tally.wrong)} wrong", flush=True)
    tally.answers.update(f"{each.status} {'replayed' if each.is_replayed else each.problem}".strip() for each in told)
    done = [each for each in told if each.status == 201]
    first = next((each for each in done if not each.is_replayed), None)
    if first is None:
        tally.wrong.append(f"{kind.name}: nobody was the first, answers {sorted(each.status for each in told)}")
        return
    same = await scene.ask(kind, request, key, other=first.is_other)
    other = await scene.ask(kind, request, key, other=not first.is_other)
    tally.wrong += [f"{kind.name}: {sentence}" for sentence in _wrong_answers(first, told, same, other)]


def _wrong_answers(first: Told, told: Sequence[Told], same: Told, other: Told) -> list[str]:
    wrong = []
    if sum(each.status == 201 and not each.is_replayed for each in told) != 1:
        wrong.append("done more than once")
    for each in (*told, same, other):
        is_first_request = each.is_other == first.is_other
        if each.status == 201 and (each.body != first.body or not is_first_request):
            wrong.append("answered in another way")
        elif each.status == 422 and (is_first_request or each.problem != "idempotency-key-reused"):
            wrong.append(f"refused as {each.problem}")
        elif each.status not in {201, 409, 422} or (each.status == 409 and each.problem != "request-in-progress"):
            wrong.append(f"answered {each.status} {each.problem}")
    if (same.status, same.is_replayed) != (201, True):
        wrong.append(f"repeated later: {same.status} {same.problem}")
    if other.status != 422:
        wrong.append(f"another body later: {other.status} {other.problem}")
    return wrong


async def _wrong_while_running(scene: Scene, kind: Kind) -> list[str]:
    """While the first is held up just before its end, the second is told so at once; it all happened once in the end."""
    request, key, before = next(kind.requests), str(uuid4()), await scene.count(kind.service, kind.effects)
    connection = await scene.world.superuser(kind.service)
    try:
        async with connection.transaction():
            # Reading goes on, keeping an answer waits.
            await connection.execute("lock table idempotency_keys in share mode")
            running = asyncio.create_task(scene.ask(kind, request, key))

            async def is_held() -> bool:
                return bool(await scene.count(kind.service, _WAITING))

            await until(is_held, seconds=60, what="a request that waits", pause=0.01)
            second = await scene.ask(kind, request, key)
    finally:
        await connection.close()
    first, third = await running, await scene.ask(kind, request, key)
    effects = await scene.count(kind.service, kind.effects) - before
    found = (first.status, second.status, second.problem, third.status, third.body == first.body, effects)
    return [] if found == (201, 409, "request-in-progress", 201, True, 1) else [f"{kind.name}, held up: {found}"]


async def _bug_is_seen(scene: Scene, every: Sequence[Kind], rng: random.Random) -> bool:
    """With no answer kept, a key means nothing: of the commands that nothing else protects, each duplicate has its effect."""
    connection = await scene.world.superuser("appointments")
    try:
        await connection.execute(_FORGET_ANSWERS)
    finally:
        await connection.close()
    tally = await _round(scene, [kind for kind in every if kind.service == "appointments"], 10, rng)
    return any("effects of" in each for each in tally.wrong)
