"""What is watched of messages: until when they wait for a score, and which scores call for a person."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloom_events.alerts import AlertCause
from bloom_events.ids import ConversationId, MessageId, PatientId, UserId, new_id
from bloom_events.risk import RiskLevel
from notifications.domain.levels import severity
from notifications.domain.watch import Patience, Score, WatchedMessage, calls_for_people, is_still_unscored

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PATIENCE = Patience()
LEVELS = list(RiskLevel)


def score(level: RiskLevel) -> Score:
    return Score(level, NOW, NOW)


@pytest.fixture
def make_message() -> Callable[..., WatchedMessage]:
    ids = ConversationId(new_id()), PatientId(new_id())

    def make(**more: Any) -> WatchedMessage:
        return WatchedMessage(MessageId(new_id()), 1, *ids, (UserId(new_id()),), NOW, **more)

    return make


def hear(message: WatchedMessage, now: datetime = NOW) -> WatchedMessage:
    return message.heard(committed_at=NOW, patience=PATIENCE, now=now)


def test_a_message_waits_five_seconds_from_when_we_could_know_of_it(make_message: Callable[..., WatchedMessage]) -> None:
    assert hear(make_message()).due_at == NOW + timedelta(seconds=5)
    assert hear(make_message(), NOW + timedelta(hours=1)).due_at == NOW + timedelta(hours=1, seconds=5)


def test_a_clock_that_runs_behind_does_not_shorten_the_wait(make_message: Callable[..., WatchedMessage]) -> None:
    assert hear(make_message(), NOW - timedelta(seconds=3)).due_at == NOW + timedelta(seconds=5)


def test_whichever_comes_first_a_message_with_a_score_does_not_wait(make_message: Callable[..., WatchedMessage]) -> None:
    one, other = make_message(), make_message()

    assert hear(one).scored(score(RiskLevel.LOW)).due_at is None
    assert hear(other.scored(score(RiskLevel.LOW))).due_at is None


def test_of_two_scores_the_worse_one_stays(make_message: Callable[..., WatchedMessage]) -> None:
    message = make_message().scored(score(RiskLevel.HIGH))

    assert message.scored(score(RiskLevel.LOW)).score == score(RiskLevel.HIGH)
    assert message.scored(score(RiskLevel.CRITICAL)).score == score(RiskLevel.CRITICAL)


def test_an_unscored_message_counts_as_moderate_whatever_came_later(make_message: Callable[..., WatchedMessage]) -> None:
    message = hear(make_message()).given_up(NOW)

    assert (message.due_at, message.unscored_at) == (None, NOW)
    assert message.finding(AlertCause.UNSCORED).level is RiskLevel.MODERATE
    assert message.scored(score(RiskLevel.CRITICAL)).finding(AlertCause.RISK).level is RiskLevel.CRITICAL


@pytest.mark.parametrize(("level", "calls"), [("low", False), ("moderate", False), ("high", True), ("critical", True)])
def test_high_and_critical_scores_call_people(level: str, calls: bool) -> None:
    assert calls_for_people(RiskLevel(level), 1, []) is calls


def test_the_same_text_scored_again_calls_only_when_it_is_worse(make_message: Callable[..., WatchedMessage]) -> None:
    before = [make_message().scored(score(RiskLevel.HIGH))]

    assert not calls_for_people(RiskLevel.HIGH, 1, before)
    assert calls_for_people(RiskLevel.CRITICAL, 1, before)


def test_an_edit_is_a_new_text_and_calls_by_itself(make_message: Callable[..., WatchedMessage]) -> None:
    assert calls_for_people(RiskLevel.HIGH, 2, [make_message().scored(score(RiskLevel.CRITICAL))])


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(LEVELS)), max_size=6), st.permutations(range(6)))
def test_in_whatever_order_scores_come_the_worst_of_them_is_acted_upon(
    scores: list[tuple[int, RiskLevel]], order: list[int]
) -> None:
    known: list[WatchedMessage] = []
    acted: list[RiskLevel] = []
    ids = ConversationId(new_id()), PatientId(new_id())
    for place in order:
        if place < len(scores):
            revision, level = scores[place]
            if calls_for_people(level, revision, known):
                acted.append(level)
            known.append(WatchedMessage(MessageId(new_id()), revision, *ids, (), NOW, score=score(level)))
    worst = max((level for _, level in scores), key=severity, default=RiskLevel.LOW)

    if worst in {RiskLevel.HIGH, RiskLevel.CRITICAL}:
        assert worst in acted
    assert len(acted) <= len([level for _, level in scores if level in {RiskLevel.HIGH, RiskLevel.CRITICAL}])


def test_a_message_whose_later_text_was_scored_is_not_unscored(make_message: Callable[..., WatchedMessage]) -> None:
    message = hear(make_message())
    later = WatchedMessage(
        message.message_id, 2, message.conversation_id, message.patient_id, (), NOW, score=score(RiskLevel.LOW)
    )

    assert is_still_unscored(message, [message])
    assert not is_still_unscored(message, [message, later])
    assert is_still_unscored(later.given_up(NOW), [message])
