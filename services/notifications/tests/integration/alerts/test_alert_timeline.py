"""The timeline of an alert is rebuilt from what was stored, hop by hop, and is bounded."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from bloom_events.messaging import AlertPushed, AlertSeen
from bloom_events.risk import RiskLevel
from notifications.use_cases.alerts import MOST_ON_A_TIMELINE, note_push

Client = httpx.AsyncClient


async def push(ward: Any, kind: type[AlertPushed] | type[AlertSeen], alert_id: Any) -> None:
    when = {"pushed_at": ward.clock()} if kind is AlertPushed else {"seen_at": ward.clock()}
    cause = ward.told(kind(alert_id=alert_id, user_id=ward.therapist, **when))
    for _ in range(2):
        await note_push(ward.uow(cause), cause)


@pytest.mark.promise("AL1")
async def test_every_hop_from_the_message_to_its_resolution_has_its_time(client: Client, ward: Any, headers: Any) -> None:
    message = ward.message()
    steps: list[str] = []

    def later(hop: str) -> None:
        steps.append(hop)
        ward.clock.advance(milliseconds=20)

    sent, began = message.sent(), ward.clock()
    later("written")
    await ward.hear(sent, message.scored(RiskLevel.HIGH))
    alert_id = (await ward.alert())["id"]
    later("raised")
    await push(ward, AlertPushed, alert_id)
    later("pushed")
    await push(ward, AlertSeen, alert_id)
    await ward.pass_deadline()
    await ward.answer(alert_id)
    later("acknowledged")
    await ward.hear(message.deleted())
    later("deleted")
    await ward.end(alert_id)

    answer = await client.get(f"/api/alerts/{alert_id}/timeline", headers=headers(ward.therapist))

    timeline = answer.json()
    assert timeline["isComplete"] is True
    assert [point["hop"] for point in timeline["points"]] == [
        "written", "committed", "read_by_scorer", "scored", "raised", "pushed", "seen", "escalated", "acknowledged", "deleted",
        "resolved",
    ]  # fmt: skip
    by_hop = {point["hop"]: point for point in timeline["points"]}
    assert by_hop["written"]["at"] == began.isoformat().replace("+00:00", "Z")
    assert (by_hop["raised"]["milliseconds"], by_hop["pushed"]["milliseconds"]) == (20.0, 40.0)
    assert (by_hop["pushed"]["userId"], by_hop["escalated"]["called"]) == (str(ward.therapist), [str(ward.administrator)])
    assert by_hop["escalated"]["milliseconds"] >= timedelta(minutes=5) / timedelta(milliseconds=1)


async def test_a_missing_score_and_the_one_that_came_after_all_are_both_on_it(client: Client, ward: Any, headers: Any) -> None:
    message = ward.message()
    await ward.hear(message.sent())
    ward.clock.advance(seconds=5)
    await ward.give_up()
    ward.clock.advance(seconds=2)
    await ward.hear(message.scored(RiskLevel.LOW))

    alert_id = (await ward.alert())["id"]
    points = (await client.get(f"/api/alerts/{alert_id}/timeline", headers=headers(ward.therapist))).json()["points"]

    assert [(point["hop"], point["milliseconds"]) for point in points] == [
        ("written", 0.0),
        ("committed", 0.0),
        ("unscored", 5000.0),
        ("raised", 5000.0),
        ("read_by_scorer", 7000.0),
        ("scored", 7000.0),
    ]


async def test_a_long_alert_shows_its_first_message_and_the_latest_and_says_so(client: Client, ward: Any, headers: Any) -> None:
    first = ward.message()
    written = [first, *(ward.message(conversation_id=first.conversation_id) for _ in range(MOST_ON_A_TIMELINE + 5))]
    for message in written:
        ward.clock.advance(milliseconds=10)
        await ward.hear(message.scored(RiskLevel.HIGH))

    alert_id = (await ward.alert())["id"]
    timeline = (await client.get(f"/api/alerts/{alert_id}/timeline", headers=headers(ward.therapist))).json()

    shown = [point["messageId"] for point in timeline["points"] if point["hop"] == "written"]
    assert timeline["isComplete"] is False
    assert len(shown) == MOST_ON_A_TIMELINE
    assert {str(first.message_id), str(written[-1].message_id)} < set(shown)
    assert str(written[1].message_id) not in shown
    assert timeline["points"][-1]["hop"] == "extended"


async def test_who_was_pushed_an_alert_of_another_tenant_leaves_no_trace(ward: Any, other_ward: Any) -> None:
    await ward.hear(ward.message().scored())
    alert_id = (await ward.alert())["id"]

    cause = other_ward.told(AlertPushed(alert_id=alert_id, user_id=ward.therapist, pushed_at=ward.clock()))
    await note_push(other_ward.uow(cause), cause)

    assert [row["pushed_at"] for row in await ward.rows("select pushed_at from alert_people")] == [None]
