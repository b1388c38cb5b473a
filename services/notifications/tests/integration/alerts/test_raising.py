"""Scores and missing scores raise alerts: one open alert for each conversation, whatever comes twice, late or reordered."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from structlog.testing import capture_logs

from bloom_events.auth import Role
from bloom_events.risk import RiskLevel

LOW, MODERATE, HIGH, CRITICAL = RiskLevel


@pytest.mark.promise("AL1", "AL3")
async def test_a_high_score_raises_an_alert_and_tells_of_it_in_the_same_transaction(ward: Any, outbox: Any) -> None:
    score = ward.message().scored(HIGH)

    with capture_logs() as logs:
        await ward.hear(score)

    alert = await ward.alert()
    assert [(line["event"], line["alert_id"], line["risk_level"]) for line in logs] == [
        ("alert.raised.v1", str(alert["id"]), "high")
    ]
    assert (alert["level"], alert["status"], alert["step"]) == ("high", "calling", "therapist")
    (event,) = await outbox(ward.tenant_id)
    assert event["type"] == "alert.raised.v1"
    assert event["data"]["called"] == event["data"]["notify"] == [str(ward.therapist)]
    assert event["data"]["message_id"] == str(score.data.message_id)
    headers = orjson.loads(event["headers"])
    assert (headers["ce_correlationid"], headers["ce_causationid"]) == (str(score.correlation_id), str(score.id))


@pytest.mark.parametrize("level", [LOW, MODERATE])
async def test_a_low_or_moderate_score_raises_nothing(ward: Any, level: RiskLevel) -> None:
    await ward.hear(ward.message().scored(level))

    assert await ward.alerts() == []


@pytest.mark.parametrize("role", [Role.THERAPIST, Role.ADMINISTRATOR])
async def test_only_what_patients_write_raises_anything(ward: Any, role: Role) -> None:
    message = ward.message(author_role=role)

    await ward.hear(message.sent(), message.scored(CRITICAL), message.deleted(), message.withdrawn())

    assert await ward.alerts() == []
    assert await ward.rows("select * from watched_messages") == await ward.rows("select * from message_endings") == []


async def test_further_messages_belong_to_the_open_alert_whose_level_only_rises(ward: Any, outbox: Any) -> None:
    first = ward.message()
    conversation = first.conversation_id

    await ward.hear(first.scored(HIGH))
    for level in (CRITICAL, HIGH):
        await ward.hear(ward.message(conversation_id=conversation).scored(level))

    alert = await ward.alert()
    assert (alert["level"], alert["revision"]) == ("critical", 3)
    assert alert["deadline"] == ward.clock() + timedelta(seconds=120)
    events = await outbox(ward.tenant_id)
    assert [(event["type"], event["data"]["level"]) for event in events] == [
        ("alert.raised.v1", "high"),
        ("alert.extended.v1", "critical"),
        ("alert.extended.v1", "critical"),
    ]
    assert len(await ward.rows("select * from alert_messages")) == 3


async def test_each_conversation_has_an_alert_of_its_own(ward: Any) -> None:
    await ward.hear(ward.message().scored(), ward.message().scored())

    assert len(await ward.alerts()) == 2


async def test_an_event_that_comes_again_changes_nothing(ward: Any, outbox: Any) -> None:
    message = ward.message()
    events = [message.sent(), message.scored(HIGH)]

    for _ in range(3):
        await ward.hear(*events)

    assert len(await outbox(ward.tenant_id)) == 1
    (watched,) = await ward.rows("select events_handled, due_at from watched_messages")
    assert (watched["events_handled"], watched["due_at"]) == (2, None)


async def test_the_same_text_scored_anew_raises_nothing_after_its_alert_is_resolved(ward: Any) -> None:
    message = ward.message()
    await ward.hear(message.scored(HIGH))
    alert = await ward.alert()
    await ward.answer(alert["id"])
    await ward.end(alert["id"])

    await ward.hear(message.scored(HIGH))

    assert [alert["status"] for alert in await ward.alerts()] == ["resolved"]
    await ward.hear(message.scored(CRITICAL))
    assert [alert["status"] for alert in await ward.alerts()] == ["resolved", "calling"]


async def test_the_score_of_an_edit_may_raise_and_a_late_one_of_the_first_text_still_counts(ward: Any) -> None:
    edited, late = ward.message(), ward.message()

    await ward.hear(edited.sent(), edited.scored(LOW), edited.edited(), edited.scored(HIGH))
    late.edited()
    await ward.hear(late.scored(LOW), late.scored(HIGH, revision=1))

    assert len(await ward.alerts()) == 2


async def test_an_edit_as_bad_as_the_text_before_adds_nothing_to_its_alert(ward: Any, outbox: Any) -> None:
    message = ward.message()

    await ward.hear(message.scored(HIGH), message.edited(), message.scored(HIGH))

    assert [event["type"] for event in await outbox(ward.tenant_id)] == ["alert.raised.v1"]


@pytest.mark.promise("AL3")
async def test_a_message_without_a_score_in_time_calls_the_same_people_as_a_moderate_risk(ward: Any, outbox: Any) -> None:
    message = ward.message()
    await ward.hear(message.sent())
    due = ward.clock() + timedelta(seconds=5)

    assert await ward.give_up() == due
    assert await ward.alerts() == []
    ward.clock.moment = due
    await ward.give_up()
    await ward.give_up()

    alert = await ward.alert()
    assert (alert["cause"], alert["level"], alert["called"]) == ("unscored", "moderate", [ward.therapist])
    assert len(await outbox(ward.tenant_id)) == 1
    (watched,) = await ward.rows("select due_at, unscored_at from watched_messages")
    assert (watched["due_at"], watched["unscored_at"]) == (None, due)


@pytest.mark.parametrize("score_comes_first", [True, False])
async def test_a_message_with_a_score_is_never_unscored_whichever_comes_first(ward: Any, score_comes_first: bool) -> None:
    message = ward.message()
    events = [message.scored(LOW), message.sent()]

    await ward.hear(*(events if score_comes_first else reversed(events)))
    ward.clock.advance(minutes=10)
    await ward.give_up()

    assert await ward.alerts() == []


async def test_a_later_text_that_was_scored_stands_for_the_earlier_one(ward: Any) -> None:
    message = ward.message()
    sent = message.sent()
    edited = message.edited()

    await ward.hear(sent, edited, message.scored(LOW))
    ward.clock.advance(minutes=10)
    await ward.give_up()

    assert await ward.alerts() == []
    assert await ward.rows("select * from watched_messages where due_at is not null") == []


async def test_a_score_after_all_raises_the_level_of_the_alert_or_leaves_it_to_a_person(ward: Any) -> None:
    high, low = ward.message(), ward.message()
    await ward.hear(high.sent(), low.sent())
    ward.clock.advance(seconds=5)
    await ward.give_up()

    await ward.hear(high.scored(CRITICAL), low.scored(LOW))

    levels = {alert["conversation_id"]: (alert["level"], alert["status"]) for alert in await ward.alerts()}
    assert levels == {high.conversation_id: ("critical", "calling"), low.conversation_id: ("moderate", "calling")}


async def test_the_score_of_a_message_called_unscored_calls_nobody_again_but_waits_for_no_quiet_hours(ward: Any) -> None:
    late, further = ward.message(), ward.message()
    await ward.hear(late.sent(), further.sent())
    ward.clock.advance(seconds=5)
    await ward.give_up()
    intents = "select occasion, urgency from notifications where about = $1"
    before = await ward.rows(intents, (await ward.alert_of(late))["id"])

    await ward.hear(late.scored(CRITICAL))
    after = await ward.rows(intents, (await ward.alert_of(late))["id"])
    assert {row["occasion"] for row in before} == {"round_1"}
    assert {row["urgency"] for row in before} == {"urgent"}
    assert [row["occasion"] for row in after] == [row["occasion"] for row in before]
    assert {row["urgency"] for row in after} == {"critical"}

    # Another message in the same conversation is another reason to call.
    await ward.hear(ward.message(conversation_id=further.conversation_id).scored(CRITICAL))
    rows = await ward.rows(intents, (await ward.alert_of(further))["id"])
    assert {row["occasion"] for row in rows} == {"round_1", "level_critical"}


async def test_while_scores_in_kafka_are_unread_a_message_waits_but_no_longer_than_the_limit(ward: Any) -> None:
    await ward.hear(ward.message().sent())
    due = ward.clock() + timedelta(seconds=5)
    for until in (None, due - timedelta(milliseconds=1)):
        ward.score_log.until = until
        ward.clock.moment = due + timedelta(seconds=29)
        assert await ward.give_up() == ward.clock() + timedelta(milliseconds=200)
        assert await ward.alerts() == []

    ward.clock.moment = due + timedelta(seconds=30)
    await ward.give_up()

    assert len(await ward.alerts()) == 1


async def test_once_scores_were_read_past_the_deadline_nobody_waits_longer(ward: Any) -> None:
    await ward.hear(ward.message().sent())
    ward.score_log.until = ward.clock() + timedelta(seconds=5)
    ward.clock.advance(seconds=5)

    await ward.give_up()

    assert len(await ward.alerts()) == 1


async def test_a_deleted_message_keeps_its_alert_and_one_that_nobody_has_read_still_raises_one(ward: Any) -> None:
    scored, unread = ward.message(), ward.message()
    await ward.hear(scored.sent(), scored.scored(HIGH), unread.sent())

    await ward.hear(scored.deleted(), scored.withdrawn(), unread.deleted())
    ward.clock.advance(seconds=5)
    await ward.give_up()

    assert {alert["cause"] for alert in await ward.alerts()} == {"risk", "unscored"}
    assert len(await ward.rows("select * from message_endings")) == 2


async def test_two_workers_at_the_same_messages_raise_one_alert_between_them(ward: Any, outbox: Any) -> None:
    conversation = uuid4()
    written = [ward.message(conversation_id=conversation) for _ in range(8)]
    await ward.hear(*(message.sent() for message in written))
    ward.clock.advance(seconds=5)
    scores = [message.scored(HIGH) for message in written[:4]]

    await asyncio.gather(*(ward.hear(score) for score in scores * 2), ward.give_up(), ward.give_up(), ward.give_up())

    alert = await ward.alert()
    types = [event["type"] for event in await outbox(ward.tenant_id)]
    assert types.count("alert.raised.v1") == 1
    revisions = [event["data"]["revision"] for event in await outbox(ward.tenant_id)]
    assert revisions == list(range(1, alert["revision"] + 1))
    assert len(await ward.rows("select * from alert_messages")) == 8


async def test_the_alerts_of_one_tenant_are_not_those_of_another(ward: Any, other_ward: Any) -> None:
    message = ward.message()
    there = other_ward.message(conversation_id=message.conversation_id, message_id=message.message_id)

    await ward.hear(message.scored(HIGH))
    await other_ward.hear(there.scored(CRITICAL))

    assert ((await ward.alert())["level"], (await other_ward.alert())["level"]) == ("high", "critical")
