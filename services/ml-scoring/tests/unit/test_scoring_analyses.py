"""What a finding makes of an analysis, and what is told of it, without a database."""

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest

from bloom_events.auth import Role
from bloom_events.envelope import wrap
from bloom_events.ids import AnalysisId, ConversationId, MessageId, PatientId, TenantId, TherapistId, UserId, new_id
from bloom_events.messaging import MessageDeleted, MessageEdited, MessageSent
from bloom_events.risk import RiskLabel, RiskLevel, RiskScored, RiskWithdrawn
from ml_scoring.domain.analyses import KEY_DESTROYED, Finding, Found, Known, State, Unreadable, Withdrawn, advance
from ml_scoring.domain.models import ModelIdentity, Thresholds
from ml_scoring.domain.scores import Score

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
MODEL = ModelIdentity("risk", "1", "a" * 64, "b" * 64, "c" * 64, Thresholds(0.1, 0.3, 0.6))
MESSAGE = MessageId(new_id())


def score(suicidal: float = 0.7) -> Score:
    rest = (1 - suicidal) / 6
    probabilities = MappingProxyType({label: suicidal if label is RiskLabel.SUICIDAL else rest for label in RiskLabel})
    label = max(probabilities, key=lambda each: probabilities[each])
    return Score(label, probabilities, MODEL.thresholds.level_of(suicidal), windows=2, milliseconds=3.5, model=MODEL)


def finding(found: Found, *, revision: int = 1, sequence: int = 1, message_id: MessageId = MESSAGE) -> Finding:
    about: dict[str, Any] = {
        "conversation_id": ConversationId(new_id()),
        "message_id": message_id,
        "sequence": sequence,
        "revision": revision,
        "patient_id": PatientId(uuid4()),
        "author_id": UserId(uuid4()),
        "author_role": Role.PATIENT,
        "therapist_ids": (TherapistId(uuid4()),),
    }
    sealed = {"key_version": 1, "nonce": "AAAA", "ciphertext": "AAAA"}
    event: MessageSent | MessageEdited | MessageDeleted
    if isinstance(found, Withdrawn):
        event = MessageDeleted(**about, deleted_at=NOW)
    elif revision == 1:
        event = MessageSent(**about, **sealed, sent_at=NOW)
    else:
        event = MessageEdited(**about, **sealed, sent_at=NOW - timedelta(hours=1), edited_at=NOW)
    cause = wrap(event, source="/bloom/messaging", tenant_id=TenantId(uuid4()), time=NOW, correlation_id=uuid4())
    return Finding(cause, found, NOW + timedelta(milliseconds=10), NOW + timedelta(milliseconds=20))


def test_a_score_is_kept_and_told_with_its_times_and_its_model():
    step = advance({}, [finding(score())])
    (analysis,), ((_, event),) = step.analyses, step.told
    assert (analysis.state, analysis.reason, analysis.revision) == (State.SCORED, None, 1)
    assert isinstance(event, RiskScored)
    assert event.analysis_id == analysis.analysis_id
    assert (event.label, event.level, event.windows) == (RiskLabel.SUICIDAL, RiskLevel.CRITICAL, 2)
    assert event.probabilities.suicidal == pytest.approx(0.7)
    assert (event.model_name, event.model_version, event.model_hash, event.tokenizer_hash) == ("risk", "1", "a" * 64, "b" * 64)
    assert event.message_sent_at < event.received_at < event.scored_at


def test_an_edit_counts_from_the_time_of_the_edit():
    step = advance({MESSAGE: Known(AnalysisId(new_id()), 1)}, [finding(score(), revision=2)])
    ((_, event),) = step.told
    assert isinstance(event, RiskScored)
    assert event.message_sent_at == NOW


def test_an_edit_keeps_the_id_of_the_analysis():
    known = Known(AnalysisId(new_id()), 1)
    step = advance({MESSAGE: known}, [finding(score(), revision=2)])
    assert [analysis.analysis_id for analysis in step.analyses] == [known.analysis_id]


@pytest.mark.parametrize("revision", [1, 2])
@pytest.mark.parametrize("found", [score(), Unreadable(KEY_DESTROYED), Withdrawn()], ids=["score", "unreadable", "withdrawn"])
def test_what_is_not_newer_than_what_is_known_changes_nothing(found, revision):
    step = advance({MESSAGE: Known(AnalysisId(new_id()), 2)}, [finding(found, revision=revision)])
    assert (step.analyses, list(step.told)) == ((), [])


def test_a_deletion_is_told_and_leaves_no_score():
    step = advance({}, [finding(score()), finding(Withdrawn(), revision=2, sequence=2)])
    (analysis,) = step.analyses
    assert (analysis.state, analysis.score, analysis.sequence) == (State.WITHDRAWN, None, 2)
    assert [type(event) for _, event in step.told] == [RiskScored, RiskWithdrawn]


def test_a_message_that_nobody_can_read_is_kept_with_its_reason_and_nobody_is_told():
    step = advance({}, [finding(Unreadable("text-not-readable"))])
    (analysis,) = step.analyses
    assert (analysis.state, analysis.reason, analysis.score) == (State.UNREADABLE, "text-not-readable", None)
    assert list(step.told) == []


def test_what_was_written_for_a_moment_only_is_told_before_what_replaced_it():
    step = advance({}, [finding(score(0.9)), finding(score(0.01), revision=2, sequence=2)])
    assert [event.level for _, event in step.told if isinstance(event, RiskScored)] == [RiskLevel.CRITICAL, RiskLevel.LOW]
    assert len({event.analysis_id for _, event in step.told if isinstance(event, RiskScored)}) == 1
    assert [analysis.revision for analysis in step.analyses] == [2]


def test_messages_do_not_touch_each_other():
    one, two = MessageId(new_id()), MessageId(new_id())
    step = advance({one: Known(AnalysisId(new_id()), 5)}, [finding(score(), message_id=one), finding(score(), message_id=two)])
    assert [analysis.message_id for analysis in step.analyses] == [two]
