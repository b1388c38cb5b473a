"""Row "sockets": many open pages, a thousand pushes a second, what each push waits for and each page takes."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import psutil
from tests.bench.measure import percentile, spread
from tests.faults.chat import Chat, many_pages, until_told
from tests.faults.page import Page
from tests.faults.practice import Pair, Practice

from local_stack.ports import free_port
from local_stack.services import ServiceProcess
from tools.results import Row

# Twenty pages are what one person may have open at one process.
PAGES_PER_PERSON = 20
SHORT, LONG = (25, 1), (250, 4)
"""Pairs of a patient and a therapist, and socket processes: 1,000 pages at one process, 10,000 at four."""

PUSHES_PER_SECOND, SECONDS = 1_000, 8.0
_PER_MESSAGE = 2 * PAGES_PER_PERSON


async def sockets(*, long: bool) -> list[Row]:
    """Milliseconds from the answer to a message until a page has it, KiB of a socket process per page, changes lost in drops."""
    count, processes = LONG if long else SHORT
    async with Practice() as practice, AsyncExitStack() as stack:
        pairs = await practice.pairs(count, therapists=count)
        serving = await _processes(practice, processes)
        before = sum(map(_kibibytes, serving))
        pages = await many_pages(stack, [each.port for each in serving], pairs, each=PAGES_PER_PERSON)
        each_kib = (sum(map(_kibibytes, serving)) - before) / len(pages)
        print(f"   {len(pages)} pages are open, {each_kib:.0f} KiB each", flush=True)
        rng = random.Random(1)
        rounds = [await _round(Chat(practice), pairs, pages, rng) for _ in range(5 if long else 3)]
        lost = await _lost_in_drops(Chat(practice), pairs, pages, rng)
        for process in serving[1:]:
            await asyncio.to_thread(process.stop)
    p99 = statistics.median(percentile(each, 0.99) for each in rounds)
    detail: dict[str, object] = {
        "rounds_p50": spread([percentile(each, 0.5) for each in rounds]),
        "rounds_p99": spread([percentile(each, 0.99) for each in rounds]),
        "pushes": sum(map(len, rounds)),
        "processes": processes,
    }
    name = f"{len(pages):,} pages, {PUSHES_PER_SECOND:,} pushes/s"
    return [
        Row("sockets", f"{name}: p99 from answer to page", round(p99, 2), "ms", "<= 5", p99 <= 5, detail),
        Row("sockets-memory", f"{name}: memory of a page", round(each_kib, 1), "KiB", "<= 60", each_kib <= 60, {}),
        Row("sockets-lost", f"{name}: pages that miss something after drops", lost, "pages", "0", lost == 0, {}),
    ]


async def _processes(practice: Practice, count: int) -> list[ServiceProcess]:
    """The stack's socket process, and further ones beside it."""
    serving = [practice.stack.services["messaging-socket"]]
    for instance in range(2, count + 1):
        serving.append(practice.stack.service_process("messaging", "socket", port=free_port(), instance=instance))
        serving[-1].start()
    for process in serving:
        await asyncio.to_thread(process.wait_ready)
    return serving


async def _round(chat: Chat, pairs: Sequence[Pair], pages: Sequence[tuple[UUID, Page]], rng: random.Random) -> list[float]:
    await chat.load(pairs, rng, per_second=PUSHES_PER_SECOND // _PER_MESSAGE, seconds=SECONDS)
    if wrong := await until_told(pages, await chat.ends(pairs)):
        raise RuntimeError(wrong[0])
    came = ((page.messages.get(each), answered) for _, page in pages for each, answered in chat.answered.items())
    # A push can overtake the answer, for the commit comes before both.
    found = [max(0.0, moment - answered) * 1000 for moment, answered in came if moment is not None]
    print(f"   {len(found)} pushes: p50 {percentile(found, 0.5):.1f} ms, p99 {percentile(found, 0.99):.1f} ms", flush=True)
    return found


async def _lost_in_drops(chat: Chat, pairs: Sequence[Pair], pages: Sequence[tuple[UUID, Page]], rng: random.Random) -> int:
    """How many pages do not have everything once, in order, after a tenth of them lost their connection amid the messages."""
    load = asyncio.create_task(chat.load(pairs, rng, per_second=PUSHES_PER_SECOND // _PER_MESSAGE, seconds=SECONDS))
    await asyncio.sleep(SECONDS / 4)
    for _, page in rng.sample(list(pages), len(pages) // 10):
        await page.cut()
    await load
    return len(await until_told(pages, await chat.ends(pairs)))


def _kibibytes(process: ServiceProcess) -> float:
    pid = json.loads(process.processes[0].pid_file.read_text())["pid"]
    return float(psutil.Process(pid).memory_info().rss) / 1024
