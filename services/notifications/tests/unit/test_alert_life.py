"""An alert is raised, extended, escalated until somebody answers, handed over and resolved; what makes no sense is refused."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bloom_events.alerts import (
    AlertAcknowledged,
    AlertCause,
    AlertEscalated,
    AlertExtended,
    AlertHandedOver,
    AlertRaised,
    AlertResolved,
    ChainStep,
)
from bloom_events.ids import UserId, new_id
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import MAX_TOLD, Alert, AlertStatus, Change, Plan
from notifications.domain.calls import CallReason
from notifications.domain.chain import Chain
from notifications.domain.outcomes import (
    AlertAlreadyAcknowledged,
    AlertAlreadyResolved,
    AlertNotAcknowledged,
    NobodyToHandOverTo,
)

People = dict[str, UserId]
HIGH, CRITICAL, MODERATE = RiskLevel.HIGH, RiskLevel.CRITICAL, RiskLevel.MODERATE


def acknowledged(alert: Alert, by: UserId, now: datetime) -> Alert:
    change = alert.acknowledged(by, now)
    assert change is not None
    return change.alert


def event_of(change: Change, kind: type[Any]) -> Any:
    assert type(change.event) is kind
    assert (change.event.revision, change.event.level) == (change.alert.revision, change.alert.level)
    assert change.event.notify == change.alert.told
    return change.event


@pytest.mark.promise("AL1")
def test_a_fresh_alert_calls_the_therapists_and_gives_them_the_time_of_its_level(
    raised: Callable[..., Change], people: People, now: datetime
) -> None:
    change = raised(CRITICAL)

    event = event_of(change, AlertRaised)
    assert (event.step, event.called, event.notify) == (ChainStep.THERAPIST, (people["therapist"],), (people["therapist"],))
    assert event.deadline == now + timedelta(seconds=120)
    assert change.call is not None
    assert (change.call.reason, change.call.key, change.call.people) == (CallReason.RAISED, "round_1", (people["therapist"],))
    assert change.call.breaks_quiet_hours


def test_only_a_critical_alert_breaks_quiet_hours(raised: Callable[..., Change]) -> None:
    for level, breaks in ((MODERATE, False), (HIGH, False), (CRITICAL, True)):
        call = raised(level).call
        assert call is not None
        assert call.breaks_quiet_hours is breaks


def test_an_alert_with_nobody_to_call_is_raised_all_the_same_and_keeps_its_deadline(
    raised: Callable[..., Change], now: datetime
) -> None:
    change = raised(without=("therapist", "supervisor", "on_call"))

    assert change.call is None
    assert event_of(change, AlertRaised).called == ()
    assert change.alert.deadline == now + timedelta(seconds=300)


def test_another_message_of_the_same_level_changes_neither_level_nor_deadline_and_calls_nobody(
    raised: Callable[..., Change], make_finding: Callable[..., Any], make_plan: Callable[..., Plan], now: datetime
) -> None:
    alert, finding = raised(HIGH).alert, make_finding(HIGH)

    change = alert.extended(finding, make_plan().chain, now + timedelta(minutes=1))

    event = event_of(change, AlertExtended)
    assert (event.message_id, event.deadline, change.call) == (finding.message_id, alert.deadline, None)
    assert change.alert.revision == 2


def test_a_lower_message_does_not_lower_the_level(
    raised: Callable[..., Change], make_finding: Callable[..., Any], make_plan: Callable[..., Plan], now: datetime
) -> None:
    change = raised(CRITICAL).alert.extended(make_finding(MODERATE, cause=AlertCause.UNSCORED), make_plan().chain, now)

    assert change.alert.level is CRITICAL
    assert event_of(change, AlertExtended).cause is AlertCause.UNSCORED


def test_a_worse_message_leaves_less_time_and_tells_those_called_once_more(
    raised: Callable[..., Change], make_finding: Callable[..., Any], make_plan: Callable[..., Plan], people: People, now: datetime
) -> None:
    later = now + timedelta(seconds=30)

    change = raised(HIGH).alert.extended(make_finding(CRITICAL), make_plan().chain, later)

    assert change.alert.deadline == later + timedelta(seconds=120)
    assert change.call is not None
    assert (change.call.reason, change.call.key, change.call.people) == (
        CallReason.LEVEL_RAISED,
        "level_critical",
        (people["therapist"],),
    )


def test_the_late_score_of_a_message_leaves_less_time_and_calls_nobody_who_was_called_to_read_it(
    raised: Callable[..., Change], make_finding: Callable[..., Any], make_plan: Callable[..., Plan], now: datetime
) -> None:
    later = now + timedelta(seconds=30)

    change = raised(MODERATE).alert.extended(make_finding(CRITICAL), make_plan().chain, later, is_late_score=True)

    assert (change.alert.level, change.alert.deadline) == (CRITICAL, later + timedelta(seconds=120))
    assert change.call is None


def test_a_worse_message_never_gives_more_time_than_was_left(
    raised: Callable[..., Change], make_finding: Callable[..., Any], make_plan: Callable[..., Plan], now: datetime
) -> None:
    alert = raised(HIGH).alert

    change = alert.extended(make_finding(CRITICAL), make_plan().chain, now + timedelta(seconds=290))

    assert change.alert.deadline == alert.deadline


def test_a_worse_message_to_an_acknowledged_alert_calls_whoever_has_it_and_sets_no_deadline(
    raised: Callable[..., Change], make_finding: Callable[..., Any], make_plan: Callable[..., Plan], people: People, now: datetime
) -> None:
    alert = acknowledged(raised(HIGH).alert, people["supervisor"], now)

    change = alert.extended(make_finding(CRITICAL), make_plan().chain, now)

    assert event_of(change, AlertExtended).deadline is None
    assert change.alert.status is AlertStatus.ACKNOWLEDGED
    assert change.call is not None
    assert change.call.people == (people["supervisor"],)


def test_nobody_answers_so_the_chain_is_gone_through_and_then_everybody_is_called_until_somebody_does(
    raised: Callable[..., Change], make_plan: Callable[..., Plan], people: People, now: datetime
) -> None:
    alert, plan, seen = raised().alert, make_plan(), []
    for _ in range(6):
        assert alert.deadline is not None
        change = alert.escalated(plan, alert.deadline)
        event = event_of(change, AlertEscalated)
        alert = change.alert
        seen.append((event.round, event.step, len(event.called)))

    assert seen == [
        (2, "supervisor", 1),
        (3, "on_call", 1),
        (4, "therapist", 3),
        (5, "supervisor", 3),
        (6, "on_call", 3),
        (7, "therapist", 3),
    ]
    assert set(alert.told) == {people[name] for name in ("therapist", "supervisor", "on_call")}


def test_a_step_without_people_is_skipped(raised: Callable[..., Change], make_plan: Callable[..., Plan], now: datetime) -> None:
    alert = raised(without=("supervisor",)).alert
    assert alert.deadline is not None

    change = alert.escalated(make_plan(without=("supervisor",)), alert.deadline)

    assert event_of(change, AlertEscalated).step is ChainStep.ON_CALL


def test_an_alert_does_not_escalate_before_its_deadline_nor_after_an_answer(
    raised: Callable[..., Change], make_plan: Callable[..., Plan], people: People, now: datetime
) -> None:
    alert = raised().alert

    with pytest.raises(ValueError, match="not due"):
        alert.escalated(make_plan(), now + timedelta(seconds=299))
    with pytest.raises(ValueError, match="not due"):
        acknowledged(alert, people["therapist"], now).escalated(make_plan(), now + timedelta(days=1))


def test_an_answer_ends_the_calling(raised: Callable[..., Change], people: People, now: datetime) -> None:
    change = raised().alert.acknowledged(people["supervisor"], now)

    assert change is not None
    event = event_of(change, AlertAcknowledged)
    assert (event.acknowledged_by, change.alert.deadline, change.call) == (people["supervisor"], None, None)
    assert people["supervisor"] in change.alert.told


def test_the_same_person_may_answer_twice_and_nobody_else_after_that(
    raised: Callable[..., Change], people: People, now: datetime
) -> None:
    alert = acknowledged(raised().alert, people["therapist"], now)

    assert alert.acknowledged(people["therapist"], now) is None
    with pytest.raises(AlertAlreadyAcknowledged):
        alert.acknowledged(people["supervisor"], now)


def test_an_alert_that_was_handed_over_calls_again_and_goes_on_through_the_chain(
    raised: Callable[..., Change], make_plan: Callable[..., Plan], people: People, now: datetime
) -> None:
    alert, plan = acknowledged(raised().alert, people["therapist"], now), make_plan()

    change = alert.handed_over(people["therapist"], ChainStep.SUPERVISOR, (people["supervisor"],), plan.chain, now)

    event = event_of(change, AlertHandedOver)
    assert (event.step, event.called, event.deadline) == ("supervisor", (people["supervisor"],), now + timedelta(seconds=300))
    assert change.call is not None
    assert (change.call.reason, change.call.key) == (CallReason.HANDED_OVER, "round_2")
    assert change.alert.status is AlertStatus.CALLING
    escalated = change.alert.escalated(plan, event.deadline)
    assert event_of(escalated, AlertEscalated).step is ChainStep.ON_CALL
    assert escalated.alert.round == 3


def test_handing_over_to_oneself_alone_is_refused(
    raised: Callable[..., Change], make_plan: Callable[..., Plan], people: People, now: datetime
) -> None:
    alert = acknowledged(raised().alert, people["therapist"], now)

    for nobody in ((), (people["therapist"],)):
        with pytest.raises(NobodyToHandOverTo):
            alert.handed_over(people["therapist"], ChainStep.THERAPIST, nobody, make_plan().chain, now)


def test_what_nobody_has_acknowledged_is_neither_handed_over_nor_resolved(
    raised: Callable[..., Change], people: People, now: datetime
) -> None:
    alert = raised().alert

    with pytest.raises(AlertNotAcknowledged):
        alert.handed_over(people["therapist"], ChainStep.SUPERVISOR, (people["supervisor"],), Chain(), now)
    with pytest.raises(AlertNotAcknowledged):
        alert.resolved(people["therapist"], now)


def test_a_resolved_alert_takes_nothing_any_more(
    raised: Callable[..., Change], make_finding: Callable[..., Any], people: People, now: datetime
) -> None:
    change = acknowledged(raised().alert, people["therapist"], now).resolved(people["supervisor"], now)
    event, alert = event_of(change, AlertResolved), change.alert

    assert (event.resolved_by, alert.status, alert.deadline) == (people["supervisor"], AlertStatus.RESOLVED, None)
    refused: list[Callable[[], object]] = [
        lambda: alert.acknowledged(people["therapist"], now),
        lambda: alert.handed_over(people["therapist"], ChainStep.SUPERVISOR, (people["supervisor"],), Chain(), now),
        lambda: alert.resolved(people["therapist"], now),
        lambda: alert.extended(make_finding(), Chain(), now),
    ]
    for transition in refused:
        with pytest.raises(AlertAlreadyResolved):
            transition()


def test_an_event_names_no_more_people_than_it_may_and_always_those_who_are_called(
    raised: Callable[..., Change], people: People, now: datetime
) -> None:
    crowd = tuple(UserId(new_id()) for _ in range(MAX_TOLD))
    alert = acknowledged(raised(therapists=(people["therapist"],)).alert, people["therapist"], now)
    crowded = alert.handed_over(people["stranger"], ChainStep.THERAPIST, crowd[:-1], Chain(), now).alert
    again = acknowledged(crowded, people["supervisor"], now)

    change = again.handed_over(people["supervisor"], ChainStep.ON_CALL, (people["on_call"],), Chain(), now)

    assert len(change.event.notify) == MAX_TOLD
    assert people["on_call"] in change.event.notify
    assert people["therapist"] not in change.event.notify
