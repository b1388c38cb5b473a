"""Deadlines pass: exactly one escalation for each, by whichever worker looks first, and none after an answer."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from bloom_events.alerts import ChainStep
from bloom_events.risk import RiskLevel
from notifications.domain.chain import Deadlines
from notifications.repository import deadlines
from notifications.use_cases import by_the_clock, chains
from service_kit.database import Pool
from service_kit.testing import as_tenant


async def with_chain(ward: Any, seconds: int = 60) -> None:
    await chains.set_chain(
        ward.uow(), supervisors=[ward.supervisor], on_call=[ward.on_call],
        deadlines=dict.fromkeys(ChainStep, Deadlines(seconds, seconds, seconds)), seen=0, set_by=ward.administrator,
        now=ward.clock(),
    )  # fmt: skip


@pytest.mark.promise("AL3")
async def test_an_alert_that_nobody_answers_goes_through_the_chain_and_then_calls_everybody(ward: Any, outbox: Any) -> None:
    await with_chain(ward)
    await ward.hear(ward.message().scored())

    for _ in range(4):
        await ward.pass_deadline()

    events = (await outbox(ward.tenant_id))[1:]
    assert [(e["type"], e["data"]["step"], e["data"]["round"], len(e["data"]["called"])) for e in events] == [
        ("alert.escalated.v1", "supervisor", 2, 1),
        ("alert.escalated.v1", "on_call", 3, 1),
        ("alert.escalated.v1", "therapist", 4, 3),
        ("alert.escalated.v1", "supervisor", 5, 3),
    ]
    assert set(events[-1]["data"]["notify"]) == {str(ward.therapist), str(ward.supervisor), str(ward.on_call)}


async def test_an_alert_counts_as_unanswered_once_the_whole_chain_was_called_in_vain(ward: Any, pool: Pool) -> None:
    await with_chain(ward)
    before = (await deadlines.unanswered_alerts(pool)).get("high", 0)
    await ward.hear(ward.message().scored())
    await ward.pass_deadline()
    await ward.pass_deadline()
    assert (await deadlines.unanswered_alerts(pool)).get("high", 0) == before

    await ward.pass_deadline()
    assert (await deadlines.unanswered_alerts(pool))["high"] == before + 1

    await ward.answer((await ward.alert())["id"])
    assert (await deadlines.unanswered_alerts(pool)).get("high", 0) == before


async def test_a_practice_that_has_set_no_chain_calls_its_administrators_next(ward: Any) -> None:
    await ward.hear(ward.message().scored())

    await ward.pass_deadline()

    alert = await ward.alert()
    assert (alert["step"], alert["called"]) == ("supervisor", [ward.administrator])


async def test_suspended_people_are_passed_over_from_the_next_call_on(ward: Any) -> None:
    await with_chain(ward)
    await ward.hear(ward.message().scored())
    await ward.suspend(ward.supervisor)

    await ward.pass_deadline()

    assert (await ward.alert())["called"] == [ward.on_call]


async def test_the_next_deadline_is_said_to_the_clock(ward: Any) -> None:
    await with_chain(ward, seconds=60)
    await ward.hear(ward.message().scored())
    due = ward.clock() + timedelta(seconds=60)

    assert await ward.escalate() == due
    assert (await ward.alert())["round"] == 1


async def test_an_alert_that_was_acknowledged_is_left_alone(ward: Any) -> None:
    await ward.hear(ward.message().scored())
    alert = await ward.alert()
    await ward.answer(alert["id"])

    ward.clock.advance(days=2)
    await ward.escalate()

    assert ((await ward.alert())["status"], (await ward.alert())["round"]) == ("acknowledged", 1)


async def test_a_deadline_that_passed_long_ago_escalates_once_and_starts_anew_from_now(ward: Any) -> None:
    await with_chain(ward, seconds=60)
    await ward.hear(ward.message().scored())
    ward.clock.advance(hours=5)

    await ward.escalate()
    await ward.escalate()

    alert = await ward.alert()
    assert (alert["round"], alert["deadline"]) == (2, ward.clock() + timedelta(seconds=60))


async def test_many_workers_at_many_deadlines_escalate_each_once(ward: Any, outbox: Any) -> None:
    await with_chain(ward)
    count = by_the_clock.MOST_AT_A_LOOK + 20
    for _ in range(count):
        await ward.hear(ward.message().scored())
    ward.clock.advance(seconds=60)

    async def worker() -> None:
        for _ in range(count):
            if await ward.escalate() != ward.clock():
                return

    await asyncio.gather(*(worker() for _ in range(3)))
    await worker()

    escalated = Counter(e["data"]["alert_id"] for e in await outbox(ward.tenant_id) if e["type"] == "alert.escalated.v1")
    assert len(escalated) == count
    assert set(escalated.values()) == {1}


async def test_an_answer_and_an_escalation_at_the_same_moment_leave_one_consistent_alert(ward: Any, outbox: Any) -> None:
    for _ in range(10):
        await ward.hear(ward.message().scored())
    ward.clock.advance(minutes=5)
    raised = [alert["id"] for alert in await ward.alerts()]

    await asyncio.gather(ward.escalate(), *(ward.answer(alert_id) for alert_id in raised))
    await ward.escalate()

    assert {alert["status"] for alert in await ward.alerts()} == {"acknowledged"}
    for alert in await ward.alerts():
        told = [e["data"]["revision"] for e in await outbox(ward.tenant_id) if e["data"]["alert_id"] == str(alert["id"])]
        assert told == list(range(1, alert["revision"] + 1))


async def test_one_alert_that_cannot_be_escalated_keeps_no_other_from_it(ward: Any, owner: Any) -> None:
    await ward.hear(ward.message().scored(), ward.message().scored())
    first, second = await ward.alerts()
    # A row that the next change of this alert collides with.
    await ward.rows(
        "insert into alert_changes (alert_id, revision, hop, at, level, step, round, called)"
        " values ($1, 2, 'escalated', now(), 'high', 'therapist', 1, '{}')",
        first["id"],
    )
    ward.clock.advance(minutes=5)

    with pytest.raises(Exception, match="alert_changes_pkey"):
        await ward.escalate()

    rounds = {alert["id"]: alert["round"] for alert in await ward.alerts()}
    async with as_tenant(owner, ward.tenant_id) as connection:
        await connection.execute("delete from alert_changes where alert_id = $1 and revision = 2", first["id"])
    assert rounds == {first["id"]: 1, second["id"]: 2}


async def test_every_level_has_its_own_deadline(ward: Any) -> None:
    for level, seconds in ((RiskLevel.HIGH, 300), (RiskLevel.CRITICAL, 120)):
        change = await ward.hear(ward.message().scored(level))
        assert change.alert.deadline == ward.clock() + timedelta(seconds=seconds)
