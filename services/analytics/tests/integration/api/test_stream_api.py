"""The stream of changed windows: what comes to whom, how it goes on after a break, and how it ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

TODAY = datetime(2030, 1, 9, tzinfo=UTC)
BOOKED = "appointments.booked"
LIMIT_SECONDS = 20


@dataclass
class Stream:
    """A reader of one stream, as the dashboard's is."""

    blocks: AsyncIterator[str]
    last_id: str = ""
    beats: int = 0
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def next(self, name: str = "window") -> dict[str, Any]:
        """The data of the next event of this name."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                event, data = self.take(await anext(self.blocks))
                if event == name:
                    return data

    async def rest(self) -> list[str]:
        """The names of all events until the end."""
        async with asyncio.timeout(LIMIT_SECONDS):
            return [event for event, _ in [self.take(block) async for block in self.blocks] if event]

    def take(self, block: str) -> tuple[str, dict[str, Any]]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        self.beats += block.startswith(":")
        self.last_id = fields.get("id", self.last_id)
        event = fields.get("event", "")
        self.heard.append((event, json.loads(fields.get("data", "{}"))))
        return self.heard[-1]


async def blocks_of(response: httpx.Response) -> AsyncIterator[str]:
    rest = ""
    async for text in response.aiter_text():
        *whole, rest = (rest + text).split("\n\n")
        for block in whole:
            yield block


@asynccontextmanager
async def followed(url: str, headers: dict[str, str], metric: str = BOOKED, **asked: Any) -> AsyncIterator[Stream]:
    """A stream that has said that it is open."""
    async with (
        httpx.AsyncClient(timeout=LIMIT_SECONDS) as client,
        client.stream("GET", f"{url}/api/analytics/stream", params={"metric": metric, **asked}, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = Stream(blocks_of(response))
        await stream.next("open")
        yield stream


@pytest.fixture
async def url(served, make_app) -> AsyncIterator[str]:
    async with served(make_app(stream_beat_seconds=0.2)) as url:
        yield url


@pytest.mark.promise("AN4")
async def test_a_window_comes_when_it_was_told_and_again_when_it_changed(url, practice):
    async with followed(url, practice.bearer()) as stream:
        await practice.add(BOOKED, TODAY, 2)
        await practice.tell()
        first = await stream.next()
        await practice.add(BOOKED, TODAY, 1)
        await practice.tell()
        second = await stream.next()

    assert (first["count"], first["revision"], first["isFinal"]) == (2, 1, False)
    assert (second["count"], second["revision"]) == (3, 2)
    assert (second["metric"], second["step"], second["start"]) == (BOOKED, "day", "2030-01-09T00:00:00Z")


async def test_a_change_comes_at_once_and_not_with_the_next_look(url, practice):
    async with followed(url, practice.bearer()) as stream:
        # The first look also begins to listen.
        await practice.add(BOOKED, TODAY, 1)
        await practice.tell()
        await stream.next()
        waits = []
        for _ in range(5):
            await practice.add(BOOKED, TODAY, 1)
            await practice.tell()
            began = time.monotonic()
            await stream.next()
            waits.append(time.monotonic() - began)
    assert min(waits) < 0.5, waits


async def test_nobody_hears_of_other_organisations_metrics_or_steps(url, practice, neighbour):
    async with followed(url, practice.bearer(), step="day") as stream:
        await neighbour.add(BOOKED, TODAY, 50)
        await neighbour.tell()
        await practice.add("appointments.cancelled", TODAY, 40)
        await practice.add(BOOKED, TODAY, 30, span="hour")
        await practice.add(BOOKED, TODAY, 1)
        await practice.tell()
        assert (await stream.next())["count"] == 1
    assert [event for event, _ in stream.heard].count("window") == 1


async def test_therapists_hear_of_their_own_windows_alone(url, practice):
    async with followed(url, practice.bearer("THERAPIST", subject=practice.therapist)) as stream:
        await practice.add(BOOKED, TODAY, 7)
        await practice.add(BOOKED, TODAY, 5, group={"therapist_id": str(practice.colleague)})
        await practice.add(BOOKED, TODAY, 2, group={"therapist_id": str(practice.therapist)})
        await practice.tell()
        assert (await stream.next())["count"] == 2
    assert [event for event, _ in stream.heard].count("window") == 1


async def test_small_groups_are_not_told_here_either(url, practice):
    async with followed(url, practice.bearer(), "risk.scored") as stream:
        await practice.add("risk.scored", TODAY, 4)
        await practice.tell()
        change = await stream.next()
    assert (change["count"], change["isSuppressed"]) == (None, True)


async def test_whoever_comes_back_with_the_last_id_has_missed_nothing(url, practice):
    async with followed(url, practice.bearer()) as stream:
        await practice.add(BOOKED, TODAY, 1)
        await practice.tell()
        await stream.next()
        while not stream.beats:
            stream.take(await anext(stream.blocks))

    await practice.add(BOOKED, TODAY, 1)
    await practice.add(BOOKED, TODAY - timedelta(days=1), 9)
    await practice.tell()
    await practice.close()

    async with followed(url, {**practice.bearer(), "Last-Event-ID": stream.last_id}) as again:
        missed = [await again.next(), await again.next()]

    assert sorted((change["start"][:10], change["count"]) for change in missed) == [("2030-01-08", 9), ("2030-01-09", 2)]


async def test_what_an_unfinished_transaction_tells_is_not_missed_by_those_who_came_later(url, practice, pool):
    """A transaction that began before the reader's place and ends after it: a counter of rows would pass it by."""
    await practice.add(BOOKED, TODAY, 6)
    async with pool.acquire() as connection:
        slow = connection.transaction()
        await slow.start()
        await connection.execute("select set_config('app.tenant_id', $1, true)", str(practice.tenant_id))
        await connection.execute("update windows set revision = revision + 1, changed_at = null")
        async with followed(url, practice.bearer()) as stream:
            await asyncio.sleep(1.5)
            await slow.commit()
            assert (await stream.next())["count"] == 6


@pytest.mark.parametrize("place", ["9000000000000000000", "rubbish", "-1", "1.5"])
async def test_a_place_that_is_not_known_has_the_reader_read_anew(url, practice, place):
    async with followed(url, {**practice.bearer(), "Last-Event-ID": place}) as stream:
        await stream.next("reset")


async def test_who_is_too_far_behind_reads_anew_instead_of_everything(served, make_app, practice):
    for day in range(5):
        await practice.add(BOOKED, TODAY - timedelta(days=day), 1)
    await practice.tell()

    behind = {**practice.bearer(), "Last-Event-ID": "1"}
    async with served(make_app(stream_changes_at_once=3)) as url, followed(url, behind) as stream:
        await stream.next("reset")
        await practice.add(BOOKED, TODAY, 1)
        await practice.tell()
        assert (await stream.next())["count"] == 2


async def test_a_quiet_stream_says_that_it_lives(url, practice):
    async with followed(url, practice.bearer()) as stream:
        began = time.monotonic()
        async with asyncio.timeout(LIMIT_SECONDS):
            while stream.beats < 3:
                stream.take(await anext(stream.blocks))
    assert time.monotonic() - began > 0.4


async def test_a_stream_ends_with_its_token(url, practice):
    expired = int(datetime.now(UTC).timestamp()) + 2
    async with followed(url, practice.bearer(exp=expired)) as stream:
        assert (await stream.rest())[-1] == "end"
    assert stream.heard[-1] == ("end", {"reason": "token-expired"})


async def test_a_stream_ends_after_its_time(served, make_app, practice):
    async with served(make_app(stream_seconds=0.3)) as url, followed(url, practice.bearer()) as stream:
        assert (await stream.rest())[-1] == "end"
    assert stream.heard[-1] == ("end", {"reason": "renew"})


async def test_a_process_that_ends_says_so_and_is_not_held_up(served, make_app, practice):
    app = make_app()
    async with served(app) as url, followed(url, practice.bearer()) as stream:
        app.state.kit.health.draining = True
        assert (await stream.rest())[-1] == "end"
    assert stream.heard[-1] == ("end", {"reason": "restart"})


async def test_one_person_has_a_few_streams_and_gets_them_back_when_they_are_closed(served, make_app, practice):
    app = make_app(streams_per_person=2)
    async with served(app) as url, httpx.AsyncClient(timeout=LIMIT_SECONDS) as client:
        headers, other = practice.bearer(subject=practice.therapist), practice.bearer()
        async with followed(url, headers), followed(url, headers):
            refused = await client.get(f"{url}/api/analytics/stream", params={"metric": BOOKED}, headers=headers)
            async with followed(url, other):
                assert app.state.kit.resources["feed"].count == 3
        # The server learns a moment later that a reader has gone.
        for _ in range(LIMIT_SECONDS * 50):
            if not app.state.kit.resources["feed"].count:
                break
            await asyncio.sleep(0.02)
        async with followed(url, headers):
            pass

    assert (refused.status_code, refused.json()["type"]) == (429, "urn:bloom:problem:too-many-streams")
    assert refused.headers["retry-after"] == "10"


@pytest.mark.parametrize(
    ("asked", "status", "problem"),
    [
        ({"metric": "nothing.known"}, 422, "unknown-metric"),
        ({"metric": BOOKED, "step": "fortnight"}, 422, "step-not-measured"),
        ({}, 422, "invalid-request"),
        ({"metric": BOOKED, "scope": "platform"}, 403, "forbidden"),
    ],
)
async def test_what_cannot_be_followed_is_refused_before_a_stream_begins(api, practice, asked, status, problem):
    response = await api.get("/api/analytics/stream", params=asked, headers=practice.bearer())
    assert (response.status_code, response.json()["type"]) == (status, f"urn:bloom:problem:{problem}")


async def test_patients_and_strangers_follow_nothing(api, practice):
    for headers, status in ((practice.bearer("PATIENT"), 403), ({}, 401)):
        assert (await api.get("/api/analytics/stream", params={"metric": BOOKED}, headers=headers)).status_code == status
