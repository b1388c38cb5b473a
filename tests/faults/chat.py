"""Rows 8 and 9: people chat while Valkey dies, connections drop, and some do not read what they are sent."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from uuid import UUID, uuid4

import asyncpg
from tests.bench.http_load import KeptConnections
from tests.bench.measure import percentile
from tests.faults.lab import Lab
from tests.faults.page import Page, SlowPage
from tests.faults.practice import CALM, Pair, Practice
from tests.faults.row import Finding, until

_LIMIT_SECONDS = 90.0
# Row 8.
KILLS, CHAT_SECONDS, LONG_CHAT_SECONDS = 10, 60.0, 1_800.0
CHAT_PER_SECOND, CHAT_PAIRS = 15, 4
# Row 9: pages of one person are limited to twenty.
PAGES_PER_PERSON, PAIRS, LONG_PAIRS = 20, 25, 250
SLOW_PAGES, HALF_OPEN_PAGES, DROPS = 25, 25, 100
SPELL_SECONDS, PER_SECOND = 5.0, 10
# Spells alone and in bad company take turns; where the machine's other work blurs them, more of both are taken.
SPELLS, MOST_SPELLS = 3, 9
# So many long messages are more than a reader's buffer and the kernel's take together.
LONG_BODY, FILLING = CALM * 140, 12
_SMALL_BUFFERS = {"SOCKET_BUFFER_BYTES": "65536", "SOCKET_KERNEL_BUFFER_BYTES": "4096"}
_QUICK_PINGS = {"SOCKET_PING_SECONDS": "2", "SOCKET_PONG_SECONDS": "2"}
# A text takes the scorer more of a core than all pages of it take: this row is about pages.
_NOT_SCORED = ("ml-scoring-worker", "notifications-worker")
# Who waited for a reader that does not read would wait for seconds: until its pings are missed or its buffer is full. What is
# far below that is the machine's, whose cores the reconnecting pages share with all others; the ratio is told either way.
FLOOR_MILLISECONDS = 500.0


@dataclass
class Chat:
    """People who write through the API, and when each message was asked for and answered."""

    practice: Practice
    sent: dict[UUID, float] = field(default_factory=dict)
    answered: dict[UUID, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._api = KeptConnections(self.practice.stack.ports["messaging-api"])

    async def write(self, pair: Pair, body: str, *, by_patient: bool) -> None:
        """Send one message."""
        message_id, asked = uuid4(), time.monotonic()
        message = {"conversationId": str(pair.conversation_id), "id": str(message_id), "body": body}
        headers = dict(pair.patient if by_patient else pair.therapist)
        status = await self._api.ask("POST", "/api/messages", headers, json.dumps(message))
        if status != 201:
            raise RuntimeError(f"a message was answered with {status}")
        self.sent[message_id], self.answered[message_id] = asked, time.monotonic()

    async def load(self, pairs: Sequence[Pair], rng: random.Random, *, per_second: int, seconds: float, body: str = CALM) -> None:
        """Both sides of all pairs write at a steady rate."""
        writes = ((rng.choice(pairs), rng.random() < 0.5) for _ in range(int(per_second * seconds)))
        await self._steadily(writes, per_second, body)

    async def fill(self, pairs: Sequence[Pair], *, times: int, per_second: int, body: str) -> None:
        """The therapist of each pair writes so many messages, the pairs in turn."""
        await self._steadily(((pair, False) for pair in tuple(pairs) * times), per_second, body)

    async def _steadily(self, writes: Iterable[tuple[Pair, bool]], per_second: int, body: str) -> None:
        """Send a message for each pair, by the patient or not, when it is due, whether those before were answered or not."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, (pair, by_patient) in enumerate(writes):
                await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
                group.create_task(self.write(pair, body, by_patient=by_patient))

    async def ends(self, pairs: Sequence[Pair]) -> dict[UUID, int]:
        """The last place of each conversation, as PostgreSQL has it."""
        database = self.practice.stack.surroundings.databases["messaging"]
        connection = await asyncpg.connect(self.practice.stack.postgres.url("postgres", database.name))
        try:
            rows = await connection.fetch(
                "select id, last_sequence from conversations where id = any($1)", [pair.conversation_id for pair in pairs]
            )
        finally:
            await connection.close()
        return {row["id"]: row["last_sequence"] for row in rows}


async def valkey_under_chat(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Row 8: Valkey dies ten times and pages lose their connections; every member has every change once, in order."""
    seconds = LONG_CHAT_SECONDS if long else CHAT_SECONDS
    async with Practice() as practice, AsyncExitStack() as stack:
        pairs = await practice.pairs(CHAT_PAIRS, therapists=CHAT_PAIRS)
        port = practice.stack.ports["messaging-socket"]
        members = {(pair.conversation_id, token) for pair in pairs for token in (_token(pair.patient), pair.therapist_token)}
        pages = [(where, await _opened(stack, Page(port, token))) for where, token in sorted(members, key=str)]
        # Whoever comes back without saying where they were misses something: the checker has to see that.
        forgetful = (pairs[0].conversation_id, await _opened(stack, Page(port, pairs[0].therapist_token, resumes=False)))
        chat = Chat(practice)
        writing = asyncio.create_task(chat.load(pairs, rng, per_second=CHAT_PER_SECOND, seconds=seconds))
        for _ in range(KILLS):
            await asyncio.sleep(seconds / KILLS * 0.6)
            await asyncio.to_thread(practice.stack.valkey.kill)
            for _, page in [forgetful, *rng.sample(pages, len(pages) // 2)]:
                await page.cut()
            await asyncio.sleep(seconds / KILLS * 0.3)
            await asyncio.to_thread(practice.stack.valkey.start)
        await writing
        ends = await chat.ends(pairs)
        wrong = await until_told(pages, ends)
        planted = bool(_wrongly_told([forgetful], ends))
    figures: dict[str, object] = {
        "messages": len(chat.sent),
        "members": len(pages),
        "reconnections": sum(page.connections - 1 for _, page in pages),
    }
    return Finding(wrong, KILLS, figures, planted_bug_seen=planted)


async def slow_readers(lab: Lab, *, long: bool, rng: random.Random) -> Finding:
    """Row 9: pages that do not read are cut, pages that are gone are noticed, and the others get everything, hardly later."""
    own = {"messaging": {**_QUICK_PINGS, **_SMALL_BUFFERS}}
    async with Practice(further=own, without=_NOT_SCORED) as practice, AsyncExitStack() as stack:
        pairs = await practice.pairs(LONG_PAIRS if long else PAIRS, therapists=LONG_PAIRS if long else PAIRS)
        port = practice.stack.ports["messaging-socket"]
        pages = await many_pages(stack, [port], pairs, each=PAGES_PER_PERSON - 2)
        chat = Chat(practice)
        # The first messages find everything cold, and a page that was never told anything has no place to come back to.
        await chat.fill(pairs, times=1, per_second=PER_SECOND, body=LONG_BODY)
        alone: list[float] = []
        beside: list[float] = []
        wrong: list[str] = []
        while len(alone) < SPELLS or (_later(alone, beside) and len(alone) < MOST_SPELLS):
            alone.append(await _spell(chat, pairs, pages, rng))
            async with _bad_company(port, pairs) as (slow, half_open):
                for _, page in rng.sample(pages, DROPS // SPELLS):
                    await page.cut()
                beside.append(await _spell(chat, pairs, pages, rng))
                await chat.fill(pairs, times=FILLING, per_second=PER_SECOND * 2, body=LONG_BODY)
                wrong += await _not_cut(slow)
                wrong += [] if all(page.connections > 1 for page in half_open) else ["a half-open peer was not noticed"]
                wrong += await until_told(pages, await chat.ends(pairs))
            print(f"   p99 of {len(pages)} pages: {alone[-1]:.0f} ms, in bad company {beside[-1]:.0f} ms", flush=True)
        if _later(alone, beside):
            wrong.append(f"the others' p99 went from {median(alone):.0f} to {median(beside):.0f} ms")
    figures: dict[str, object] = {
        "pages": len(pages),
        "messages": len(chat.sent),
        "spells": len(alone),
        "p99_ms_alone": round(median(alone), 1),
        "p99_ms_in_bad_company": round(median(beside), 1),
    }
    return Finding(wrong, len(alone) * (SLOW_PAGES + HALF_OPEN_PAGES + DROPS // SPELLS), figures)


def _later(alone: Sequence[float], beside: Sequence[float]) -> bool:
    """Whether bad company makes the others wait; the median of the spells decides, as a pause of the machine spoils one."""
    before, during = median(alone), median(beside)
    return during > 1.5 * before and during - before > FLOOR_MILLISECONDS


def _token(headers: Mapping[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


async def _opened(stack: AsyncExitStack, page: Page) -> Page:
    await page.open()
    stack.push_async_callback(page.close)
    return page


async def many_pages(stack: AsyncExitStack, ports: Sequence[int], pairs: Sequence[Pair], *, each: int) -> list[tuple[UUID, Page]]:
    """So many pages of both sides of every pair, with their conversation, spread over socket processes and closed by `stack`."""
    people = [(pair.conversation_id, token) for pair in pairs for token in (_token(pair.patient), pair.therapist_token)]
    places = itertools.cycle(ports)
    wanted = [(where, Page(next(places), token)) for where, token in people for _ in range(each)]
    for start in range(0, len(wanted), 50):
        await asyncio.gather(*(_opened(stack, page) for _, page in wanted[start : start + 50]))
    return wanted


@asynccontextmanager
async def _bad_company(port: int, pairs: Sequence[Pair]) -> AsyncIterator[tuple[list[SlowPage], list[Page]]]:
    """Pages that do not read, and pages that have gone without a word: they answer no ping."""
    slow = [SlowPage(port, pair.therapist_token) for pair in pairs[:SLOW_PAGES]]
    half_open = [Page(port, _token(pair.patient), answers_pings=False) for pair in pairs[:HALF_OPEN_PAGES]]
    await asyncio.gather(*(quiet.open() for quiet in slow), *(page.open() for page in half_open))
    try:
        yield slow, half_open
    finally:
        for quiet in slow:
            quiet.close()
        await asyncio.gather(*(page.close() for page in half_open))


async def _spell(chat: Chat, pairs: Sequence[Pair], pages: Sequence[tuple[UUID, Page]], rng: random.Random) -> float:
    """Milliseconds within which 99 of 100 pushes of a spell come, from the moment at which a message was asked for."""
    earlier = set(chat.sent)
    await chat.load(pairs, rng, per_second=PER_SECOND, seconds=SPELL_SECONDS, body=LONG_BODY)
    await until_told(pages, await chat.ends(pairs))
    sent = {each: asked for each, asked in chat.sent.items() if each not in earlier}
    came = ((page.messages.get(each), asked) for _, page in pages for each, asked in sent.items())
    return percentile([(moment - asked) * 1000 for moment, asked in came if moment is not None], 0.99)


async def _not_cut(slow: Sequence[SlowPage]) -> list[str]:
    cut = await asyncio.gather(*(page.is_cut() for page in slow))
    return [] if all(cut) else [f"{cut.count(False)} of {len(cut)} pages that read nothing keep their connection"]


async def until_told(pages: Sequence[tuple[UUID, Page]], ends: dict[UUID, int]) -> list[str]:
    """Wait until every page has its conversation up to the end; what is wrong by then is said."""

    async def is_so() -> bool:
        return all((page.places.get(where) or [0])[-1] >= ends[where] for where, page in pages)

    try:
        await until(is_so, seconds=_LIMIT_SECONDS, what="the last change at every page")
    except TimeoutError as late:
        return [str(late), *_wrongly_told(pages, ends)]
    return _wrongly_told(pages, ends)


def _wrongly_told(pages: Sequence[tuple[UUID, Page]], ends: dict[UUID, int]) -> list[str]:
    """Changes that are missing, repeated or out of order, counted from the first one that a page was told."""
    wrong = []
    for where, page in pages:
        told = page.places.get(where) or []
        expected = list(range(told[0], ends[where] + 1)) if told else []
        if not told or told != expected:
            wrong.append(f"a page was told {len(told)} changes and not the {len(expected)} in order")
    return wrong
