"""Ways to make findings, plans and alerts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from bloom_events.alerts import AlertCause, ChainStep
from bloom_events.ids import AlertId, ConversationId, MessageId, PatientId, UserId, new_id
from bloom_events.risk import RiskLevel
from notifications.domain.alerts import Alert as AlertClass
from notifications.domain.alerts import Change, Finding, Plan
from notifications.domain.chain import Chain, Deadlines, Roster

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def people() -> dict[str, UserId]:
    """Somebody for every step; uuid7, so in the order in which they are named."""
    return {name: UserId(new_id()) for name in ("therapist", "supervisor", "on_call", "stranger")}


@pytest.fixture
def make_plan(people: dict[str, UserId]) -> Callable[..., Plan]:
    """A chain with one person at every step but those left out; deadlines of 900, 300 and 120 seconds."""

    def make(*, without: tuple[str, ...] = ()) -> Plan:
        manned = {step: () if step in without else (people[step],) for step in ChainStep}
        chain = Chain(1, manned[ChainStep.SUPERVISOR], manned[ChainStep.ON_CALL], dict.fromkeys(ChainStep, Deadlines()))
        return Plan(chain, Roster(manned))

    return make


@pytest.fixture
def make_finding(people: dict[str, UserId]) -> Callable[..., Finding]:
    conversation_id, patient_id = ConversationId(new_id()), PatientId(new_id())

    def make(level: RiskLevel = RiskLevel.HIGH, **more: Any) -> Finding:
        defaults: dict[str, Any] = {
            "cause": AlertCause.RISK,
            "level": level,
            "conversation_id": conversation_id,
            "patient_id": patient_id,
            "message_id": MessageId(new_id()),
            "written_at": NOW,
            "therapists": (people["therapist"],),
        }
        return Finding(**{**defaults, **more})

    return make


@pytest.fixture
def raised(make_finding: Callable[..., Finding], make_plan: Callable[..., Plan]) -> Callable[..., Change]:
    """A fresh alert."""

    def make(level: RiskLevel = RiskLevel.HIGH, *, without: tuple[str, ...] = (), **more: Any) -> Change:
        return AlertClass.raised(AlertId(UUID(int=1)), make_finding(level, **more), make_plan(without=without), NOW)

    return make
