"""The life of a notification: what is claimed is asked about before it is sent again, and the end is told once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.ids import NotificationId, UserId
from bloom_events.notifications import Channel, NotificationFailed, NotificationSent
from notifications.domain.deciding import Defer, GiveUp, Recipient, Send, Suppress, decide
from notifications.domain.notices import Notification, Status, Template, Timing, Urgency
from notifications.domain.preferences import Preferences, QuietHours
from notifications.domain.providing import (
    Absent,
    Lost,
    NotTaken,
    Refused,
    Taken,
    Unanswerable,
    after_asking,
    after_sending,
)

NOW = datetime(2035, 5, 7, 12, tzinfo=UTC)
TIMING = Timing(call=timedelta(seconds=10), settle=timedelta(seconds=5))
KNOWN = Recipient(email="somebody@people.example", phone="+15005550006", time_zone="Europe/Berlin")
NIGHT = Preferences(quiet_hours=QuietHours(22 * 60, 7 * 60))


def a_notification(**more: Any) -> Notification:
    facts: dict[str, Any] = {
        "id": NotificationId(uuid4()),
        "user_id": UserId(uuid4()),
        "channel": Channel.SMS,
        "template": Template.ALERT_CALLED,
        "about": uuid4(),
        "occasion": "round_1",
        "urgency": Urgency.URGENT,
        "due_at": NOW,
        "expires_at": NOW + timedelta(hours=24),
        "created_at": NOW,
    }
    return Notification(**{**facts, **more})


def claimed(**more: Any) -> Notification:
    return a_notification(**more).claimed("+15005550006", NOW, TIMING)


def test_a_claim_is_nobody_elses_until_a_call_can_have_ended_and_shown() -> None:
    notification = claimed()

    assert (notification.status, notification.attempts, notification.called_at) == (Status.SENDING, 1, NOW)
    assert notification.due_at == NOW + TIMING.settle + TIMING.call + TIMING.settle


def test_the_provider_knows_it_by_the_same_reference_at_every_attempt() -> None:
    notification = claimed()

    assert len(notification.reference) == 16
    assert notification.put_off(NOW, "not_taken").claimed("x", NOW, TIMING).reference == notification.reference


def test_what_the_provider_took_is_told_and_over() -> None:
    after, event = after_sending(claimed(), Taken("SM1"), NOW, TIMING)

    assert (after.status, after.provider_id, after.due_at, after.address) == (Status.SENT, "SM1", None, None)
    assert event == NotificationSent(
        notification_id=after.id,
        user_id=after.user_id,
        channel=Channel.SMS,
        template="alert_called",
        about=after.about,
        sent_at=NOW,
    )


def test_what_the_provider_refuses_is_told_and_over() -> None:
    after, event = after_sending(claimed(), Refused("address_refused"), NOW, TIMING)

    assert (after.status, after.reason) == (Status.FAILED, "address_refused")
    assert isinstance(event, NotificationFailed)
    assert event.reason == "address_refused"


def test_what_got_no_answer_is_asked_about_when_it_has_settled() -> None:
    after, event = after_sending(claimed(), Lost("no_answer"), NOW, TIMING)

    assert (after.status, after.due_at, event) == (Status.UNKNOWN, NOW + TIMING.settle, None)
    assert after.address == "+15005550006"
    assert after.may_be_out


def test_what_was_not_taken_is_tried_again_after_longer_and_longer_waits() -> None:
    notification, waits = a_notification(), []
    for _ in range(12):
        notification, _event = after_sending(notification.claimed("x", NOW, TIMING), NotTaken("provider_away"), NOW, TIMING)
        assert notification.due_at is not None
        waits.append(notification.due_at - NOW)

    assert waits[0] < timedelta(seconds=3)
    assert all(later >= earlier for earlier, later in pairwise(waits))
    assert timedelta(seconds=26) < waits[-1] < timedelta(seconds=35)


def test_a_provider_that_names_a_wait_is_given_it() -> None:
    after, _ = after_sending(claimed(), NotTaken("provider_busy", timedelta(minutes=7)), NOW, TIMING)

    assert after.due_at == NOW + timedelta(minutes=7)


@pytest.mark.parametrize("urgency", list(Urgency))
def test_the_more_urgent_the_sooner_again(urgency: Urgency) -> None:
    wait = claimed(urgency=urgency).next_wait()

    assert wait <= {Urgency.CRITICAL: timedelta(seconds=2), Urgency.URGENT: timedelta(seconds=3)}.get(
        urgency, timedelta(seconds=20)
    )


QUESTIONS = [
    (Taken("SM1"), False, Status.SENT),
    (Refused("provider_failed"), False, Status.FAILED),
    (Absent(), False, Status.PENDING),
    (NotTaken("provider_silent"), False, Status.UNKNOWN),
    (Unanswerable(), True, Status.PENDING),
]


@pytest.mark.parametrize(("finding", "collapse", "status"), QUESTIONS)
def test_what_a_question_comes_to(finding: Any, collapse: bool, status: Status) -> None:
    after, _ = after_asking(claimed().under_question(NOW, TIMING), finding, NOW, repeats_collapse=collapse)

    assert after.status is status


def test_where_nobody_can_be_asked_safety_is_sent_again_and_an_appointment_is_not() -> None:
    alert, _ = after_asking(claimed(channel=Channel.EMAIL), Unanswerable(), NOW, repeats_collapse=False)
    visit, event = after_asking(
        claimed(channel=Channel.EMAIL, template=Template.APPOINTMENT_BOOKED), Unanswerable(), NOW, repeats_collapse=False
    )

    assert (alert.status, visit.status, visit.reason) == (Status.PENDING, Status.FAILED, "outcome_unknown")
    assert isinstance(event, NotificationFailed)


def test_a_question_that_is_never_answered_ends_with_the_notification() -> None:
    late = NOW + timedelta(hours=25)
    after, event = after_asking(claimed(), NotTaken("provider_silent"), late, repeats_collapse=False)

    assert (after.status, after.reason) == (Status.FAILED, "outcome_unknown")
    assert isinstance(event, NotificationFailed)


DECISIONS = [
    ({}, KNOWN, Send("+15005550006")),
    ({"channel": Channel.EMAIL}, KNOWN, Send("somebody@people.example")),
    ({"channel": Channel.EMAIL}, Recipient(), Defer(NOW + timedelta(seconds=15), "no_address")),
    ({}, Recipient(email="a@b.example"), Suppress("no_address")),
    ({"channel": Channel.PUSH}, KNOWN, Suppress("no_address")),
    ({}, Recipient(phone="+15005550006", is_suspended=True), Suppress("account_suspended")),
    ({"withdrawn": "answered"}, KNOWN, Suppress("answered")),
    ({"expires_at": NOW}, KNOWN, GiveUp("expired")),
    ({"expires_at": NOW, "reason": "provider_away"}, KNOWN, GiveUp("provider_away")),
    ({"template": Template.APPOINTMENT_BOOKED}, KNOWN, Suppress("not_wanted")),
]


@pytest.mark.parametrize(("change", "recipient", "decision"), DECISIONS)
def test_what_is_decided_at_the_moment_of_sending(change: dict[str, Any], recipient: Recipient, decision: object) -> None:
    assert decide(a_notification(**change), recipient, NOW) == decision


def test_a_closed_channel_is_said_to_be_closed() -> None:
    assert decide(a_notification(), KNOWN, NOW, is_channel_open=False) == Suppress("channel_closed")


def at_night(hour: int, **change: Any) -> object:
    recipient = Recipient(phone="+15005550006", time_zone="Europe/Berlin", preferences=NIGHT)
    now = datetime(2035, 5, 7, hour, 30, tzinfo=UTC)
    return decide(a_notification(**{"expires_at": now + timedelta(hours=24), **change}), recipient, now)


@pytest.mark.parametrize("hour", [20, 23, 1, 4])
def test_at_night_what_is_not_critical_waits_for_the_morning_where_the_person_lives(hour: int) -> None:
    decision = at_night(hour)

    assert isinstance(decision, Defer)
    assert decision.until.hour == 5
    assert at_night(hour, urgency=Urgency.CRITICAL) == Send("+15005550006")


@pytest.mark.parametrize("hour", [5, 12, 19])
def test_by_day_nothing_waits(hour: int) -> None:
    assert at_night(hour) == Send("+15005550006")


def test_what_would_be_over_in_the_morning_is_dropped() -> None:
    assert at_night(1, expires_at=datetime(2035, 5, 7, 4, tzinfo=UTC)) == Suppress("quiet_hours")
