"""What the API says comes from events, through the engine itself: counted, told, put away, and corrected."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from bloom_events.auth import Role
from bloom_events.envelope import Envelope

BOOKED = "appointments.booked"
DAY = timedelta(days=1)


async def booked(api, headers, clock, **asked: str):
    day = clock().replace(hour=0, minute=0)
    params = {"metric": BOOKED, "step": "day", "from": (day - 2 * DAY).isoformat(), **asked}
    response = await api.get("/api/analytics/series", params=params, headers=headers)
    assert response.status_code == 200, response.text
    return [(point["count"], point["isFinal"]) for point in response.json()["series"][0]["points"]]


async def test_events_are_counted_told_put_away_and_corrected_and_the_api_says_so(
    api, make_practice, operator, engine, log, happened, clock
):
    practice = make_practice(happened.tenant_id)
    now, therapist = clock(), uuid4()

    async def hear(*events: Envelope[Any]) -> None:
        await engine.counting.take(log.extend(events))
        clock.advance(seconds=60)
        await engine.read_to_the_end()
        await engine.tell()

    await hear(happened.booked(now - DAY, therapist), happened.booked(now, therapist), happened.booked(now))
    assert await booked(api, practice.bearer(), clock) == [(0, False), (1, True), (2, False)]
    assert await booked(api, practice.bearer("THERAPIST", subject=therapist), clock) == [(0, False), (1, True), (1, False)]
    assert await booked(api, operator.bearer(), clock, scope="platform") == [(0, False), (1, True), (2, False)]

    await engine.tell()
    closed = await engine.rows("select 1 from closed_windows where span = 'day'", tenant_id=happened.tenant_id)
    assert closed, "yesterday was put away"
    await hear(happened.booked(now - DAY, therapist))
    assert await booked(api, practice.bearer(), clock) == [(0, False), (2, True), (2, False)]


async def test_people_and_sessions_of_events_are_the_numbers_of_administrators(api, make_practice, engine, log, happened, clock):
    practice, now = make_practice(happened.tenant_id), clock()
    ended = uuid4()
    await engine.counting.take(
        log.extend(
            [
                happened.registered(now - DAY),
                happened.registered(now - 8 * DAY, role=Role.THERAPIST),
                happened.signed_in(now),
                happened.signed_in(now, session_id=ended),
                happened.signed_out(now, ended),
            ]
        )
    )

    stats = (await api.get("/api/admin/stats", headers=practice.bearer())).json()

    told = {name: stats[name] for name in ("totalUsers", "therapists", "patients", "activeSessions", "newThisWeek")}
    assert told == {"totalUsers": 2, "therapists": 1, "patients": 1, "activeSessions": 1, "newThisWeek": 1}
