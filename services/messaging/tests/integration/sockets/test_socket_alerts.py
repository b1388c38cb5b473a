"""Alerts reach the open connections of the people who are called, each state once, and it is noted that they did."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from bloom_events.alerts import AlertAcknowledged, AlertCause, AlertEscalated, AlertEvent, AlertRaised, AlertResolved, ChainStep
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, UserId
from bloom_events.risk import RiskLevel

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Person, Practice
    from services.messaging.tests.integration.sockets.conftest import Connect, SocketProcess, StartSockets


def alert(practice: Practice, kind: type[AlertEvent], told: list[Person], **facts: Any) -> AlertEvent:
    """An event of an alert about which these people are told."""
    notify = tuple(UserId(each.id) for each in told)
    now = practice.clock.moment
    every: dict[str, Any] = {
        "alert_id": AlertId(uuid4()),
        "revision": 1,
        "conversation_id": ConversationId(uuid4()),
        "patient_id": PatientId(uuid4()),
        "level": RiskLevel.HIGH,
        "notify": notify,
        "step": ChainStep.THERAPIST,
        "called": notify,
        "deadline": now + timedelta(minutes=2),
        "cause": AlertCause.RISK,
        "message_id": MessageId(uuid4()),
        "message_sent_at": now,
        "raised_at": now,
        "escalated_at": now,
        "acknowledged_at": now,
        "resolved_at": now,
        "round": 2,
        "acknowledged_by": notify[0],
        "resolved_by": notify[0],
    }
    return kind(**{name: value for name, value in {**every, **facts}.items() if name in kind.model_fields})


async def facts(practice: Practice, kind: str) -> list[dict[str, Any]]:
    return [data for _, data in await practice.published(kind)]


@pytest.mark.promise("AL2", "AL3")
async def test_an_alert_is_pushed_to_those_who_are_called_and_nobody_else_and_that_is_told_once(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    first, second = await start_sockets(), await start_sockets()
    patient, therapist, _ = await practice.pair()
    here, there = await connect(first, therapist), await connect(second, therapist)
    other = await connect(first, patient)
    raised = alert(practice, AlertRaised, [therapist])
    await practice.hear(raised)
    for client in (here, there):
        (told,) = await client.heard("alert")
        assert (told["alertId"], told["state"], told["level"]) == (str(raised.alert_id), "raised", "high")
        assert (told["step"], told["conversationId"]) == ("therapist", str(raised.conversation_id))
    assert await here.ask("alert-seen", {"alertId": str(raised.alert_id)}) == {"ok": True}
    assert await there.ask("alert-seen", {"alertId": str(raised.alert_id)}) == {"ok": True}
    assert other.of("alert") == []
    for _ in range(200):
        if await facts(practice, "alert.pushed.v1"):
            break
        await other.ask("nothing")
    (pushed,), (seen,) = await facts(practice, "alert.pushed.v1"), await facts(practice, "alert.seen.v1")
    for fact in (pushed, seen):
        assert (fact["alert_id"], fact["user_id"], fact["channel"]) == (str(raised.alert_id), str(therapist.id), "socket")


async def test_each_state_of_an_alert_comes_in_its_turn(practice: Practice, sockets: SocketProcess, connect: Connect) -> None:
    _, therapist, _ = await practice.pair()
    client = await connect(sockets, therapist)
    same: dict[str, Any] = {"alert_id": AlertId(uuid4())}
    for revision, kind in enumerate((AlertRaised, AlertEscalated, AlertAcknowledged, AlertResolved), 1):
        await practice.hear(alert(practice, kind, [therapist], revision=revision, **same))
        await client.heard("alert", revision)
    assert [each["state"] for each in client.of("alert")] == ["raised", "escalated", "acknowledged", "resolved"]
    assert [each["revision"] for each in client.of("alert")] == [1, 2, 3, 4]


@pytest.mark.promise("AL2")
async def test_whoever_connects_is_told_of_open_alerts_and_not_of_resolved_ones(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    _, therapist, _ = await practice.pair()
    open_one, closed = alert(practice, AlertRaised, [therapist]), alert(practice, AlertRaised, [therapist])
    for event in (open_one, closed, alert(practice, AlertResolved, [therapist], revision=2, alert_id=closed.alert_id)):
        await practice.hear(event)
    client = await connect(sockets, therapist)
    (told,) = await client.heard("alert")
    assert told["alertId"] == str(open_one.alert_id)
    again = await connect(sockets, therapist)
    assert len(await again.heard("alert")) == 1
    for _ in range(200):
        if await facts(practice, "alert.pushed.v1"):
            break
        await client.ask("nothing")
    assert len(await facts(practice, "alert.pushed.v1")) == 1


async def test_an_alert_of_another_tenant_or_person_cannot_be_seen(
    practice: Practice, other_practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, _ = await practice.pair()
    stranger, _, _ = await other_practice.pair()
    raised = alert(practice, AlertRaised, [therapist])
    await practice.hear(raised)
    for person in (patient, stranger):
        client = await connect(sockets, person)
        refused = await client.ask("alert-seen", {"alertId": str(raised.alert_id)})
        assert refused["ok"] is False
        assert client.of("alert") == []
    assert await facts(practice, "alert.seen.v1") == []


async def test_nobody_connected_means_nothing_pushed(practice: Practice, sockets: SocketProcess, connect: Connect) -> None:
    patient, therapist, conversation = await practice.pair()
    client = await connect(sockets, patient)
    await practice.hear(alert(practice, AlertRaised, [therapist]))
    await therapist.send(conversation, "Something else meanwhile")
    await client.heard("new-message")
    assert await facts(practice, "alert.pushed.v1") == []
