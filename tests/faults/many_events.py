"""Events of every subject as services would tell them, all from one seed, and how a bad day mixes them up."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

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
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentCorrected,
    AppointmentMissed,
    AppointmentRescheduled,
    VisitType,
)
from bloom_events.auth import Role, SessionRevoked, SessionStarted, TherapistVerified, UserRegistered, UserSuspended
from bloom_events.billing import (
    InvoiceCredited,
    InvoiceDiscarded,
    InvoiceDrafted,
    InvoiceOpened,
    InvoicePaid,
    InvoiceVoided,
)
from bloom_events.event import Event
from bloom_events.messaging import MessageDeleted, MessageEdited, MessageSent
from bloom_events.risk import Probabilities, RiskLabel, RiskLevel, RiskScored, RiskWithdrawn

PATIENTS, THERAPISTS = 120, 4
_ROLES = (Role.PATIENT, Role.PATIENT, Role.PATIENT, Role.THERAPIST, Role.ADMINISTRATOR)
_HASH = "0" * 64

Made = TypeVar("Made", bound=Event)


@dataclass(frozen=True)
class Crowd:
    """Who there is in one tenant."""

    tenant_id: UUID
    zone: str
    patients: Sequence[UUID]
    therapists: Sequence[UUID]


def random_crowd(rng: random.Random, zone: str) -> Crowd:
    """A tenant with its people, whose days begin by the clocks of this zone."""
    people = [random_id(rng) for _ in range(PATIENTS + THERAPISTS)]
    return Crowd(random_id(rng), zone, people[:PATIENTS], people[PATIENTS:])


def random_id(rng: random.Random) -> UUID:
    """An id by chance, the same for the same seed."""
    return UUID(int=rng.getrandbits(128), version=4)


@dataclass(frozen=True)
class Moment:
    """What the makers of events choose from: the chance, the people, and when it happens."""

    rng: random.Random
    crowd: Crowd
    at: datetime

    def one_id(self) -> UUID:
        """A fresh id."""
        return random_id(self.rng)

    def ago(self, seconds: float) -> datetime:
        """Some time before, a few times just then or even after: clocks differ."""
        return self.at - timedelta(seconds=self.rng.choice([0.0, -1.5, *[self.rng.uniform(0, seconds)] * 8]))


def _appointment(kind: type[Made], moment: Moment, **more: Any) -> Made:
    starts_at = moment.at + timedelta(minutes=moment.rng.randrange(-60, 20_000))
    return kind(
        appointment_id=moment.one_id(),
        revision=moment.rng.randrange(1, 5),
        patient_id=moment.rng.choice(moment.crowd.patients),
        therapist_id=moment.rng.choice(moment.crowd.therapists),
        visit_type=moment.rng.choice(list(VisitType)),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=50),
        **more,
    )


def _rescheduled(moment: Moment) -> Event:
    return _appointment(AppointmentRescheduled, moment, previous_starts_at=moment.at, previous_ends_at=moment.at)


def _cancelled(moment: Moment) -> Event:
    return _appointment(AppointmentCancelled, moment, cancelled_by="patient", cancelled_at=moment.at)


def _corrected(moment: Moment) -> Event:
    return _appointment(AppointmentCorrected, moment, corrected_to="no_show", corrected_at=moment.at)


def _about_a_message(moment: Moment) -> dict[str, Any]:
    is_patient = moment.rng.random() < 0.7
    patient, therapist = moment.rng.choice(moment.crowd.patients), moment.rng.choice(moment.crowd.therapists)
    return {
        "conversation_id": moment.one_id(),
        "message_id": moment.one_id(),
        "sequence": moment.rng.randrange(1, 1000),
        "revision": 1,
        "patient_id": patient,
        "author_id": patient if is_patient else therapist,
        "author_role": Role.PATIENT if is_patient else Role.THERAPIST,
        "therapist_ids": (therapist,),
    }


def _message(kind: type[Made], moment: Moment, **more: Any) -> Made:
    return kind(**_about_a_message(moment), key_version=1, nonce="AAAAAAAAAAAAAAAA", ciphertext="AAAA", **more)


def _sent(moment: Moment) -> Event:
    return _message(MessageSent, moment, sent_at=moment.at, attachments=moment.rng.randrange(3))


def _edited(moment: Moment) -> Event:
    return _message(MessageEdited, moment, sent_at=moment.ago(600), edited_at=moment.at)


def _deleted(moment: Moment) -> Event:
    return MessageDeleted(**_about_a_message(moment), deleted_at=moment.at)


def _scored(moment: Moment) -> Event:
    label = moment.rng.choice(list(RiskLabel))
    return RiskScored(
        **_about_a_message(moment),
        analysis_id=moment.one_id(),
        label=label,
        probabilities=Probabilities.by_label({each: float(each is label) for each in RiskLabel}),
        level=moment.rng.choice([*[RiskLevel.LOW] * 4, *RiskLevel]),
        model_name="model",
        model_version="1",
        model_hash=_HASH,
        tokenizer_hash=_HASH,
        windows=1,
        message_sent_at=moment.ago(2),
        received_at=moment.at,
        scored_at=moment.at,
        model_milliseconds=2.0,
    )


def _withdrawn(moment: Moment) -> Event:
    return RiskWithdrawn(**_about_a_message(moment), withdrawn_at=moment.at)


def _alert(kind: type[Made], moment: Moment, **more: Any) -> Made:
    return kind(
        alert_id=moment.one_id(),
        revision=1,
        conversation_id=moment.one_id(),
        patient_id=moment.rng.choice(moment.crowd.patients),
        level=moment.rng.choice(list(RiskLevel)),
        notify=(moment.rng.choice(moment.crowd.therapists),),
        **more,
    )


def _call(kind: type[Made], moment: Moment, **more: Any) -> Made:
    return _alert(kind, moment, step=ChainStep.THERAPIST, called=(moment.one_id(),), deadline=moment.at, **more)


def _raised(moment: Moment) -> Event:
    sent = {"message_id": moment.one_id(), "message_sent_at": moment.ago(3), "raised_at": moment.at}
    return _call(AlertRaised, moment, cause=AlertCause.RISK, **sent)


def _extended(moment: Moment) -> Event:
    more = {"message_id": moment.one_id(), "deadline": None, "extended_at": moment.at}
    return _alert(AlertExtended, moment, cause=AlertCause.RISK, **more)


def _acknowledged(moment: Moment) -> Event:
    answer = {"acknowledged_by": moment.one_id(), "acknowledged_at": moment.at, "message_sent_at": moment.ago(900)}
    return _alert(AlertAcknowledged, moment, **answer)


def _invoice(kind: type[Made], moment: Moment, **more: Any) -> Made:
    net = moment.rng.randrange(1, 40_000)
    tax = net * 19 // 100
    return kind(
        invoice_id=moment.one_id(),
        appointment_id=moment.one_id(),
        patient_id=moment.rng.choice(moment.crowd.patients),
        therapist_id=moment.rng.choice(moment.crowd.therapists),
        currency=moment.rng.choice(["EUR", "CHF", "USD"]),
        net_minor=net,
        tax_minor=tax,
        total_minor=net + tax,
        **more,
    )


def _opened(moment: Moment) -> Event:
    return _invoice(InvoiceOpened, moment, number="INV-1", issued_at=moment.at, due_on=moment.at.date())


def _paid(moment: Moment) -> Event:
    return _invoice(InvoicePaid, moment, number="INV-1", paid_at=moment.at, amount_minor=moment.rng.randrange(40_000))


def _credited(moment: Moment) -> Event:
    return _invoice(InvoiceCredited, moment, number="INV-1", credit_note_id=moment.one_id(), credit_note_number="CN-1")


def _discarded(moment: Moment) -> Event:
    return InvoiceDiscarded(
        invoice_id=moment.one_id(), appointment_id=moment.one_id(), patient_id=moment.rng.choice(moment.crowd.patients)
    )


def _somebody(moment: Moment) -> UUID:
    return moment.rng.choice([moment.rng.choice(moment.crowd.patients), moment.rng.choice(moment.crowd.therapists)])


def _registered(moment: Moment) -> Event:
    return UserRegistered(user_id=moment.one_id(), role=moment.rng.choice(_ROLES), status="active")


def _session(moment: Moment) -> Event:
    ids = {"session_id": moment.one_id(), "user_id": _somebody(moment)}
    return SessionStarted(**ids, role=moment.rng.choice(_ROLES), expires_at=moment.at + timedelta(days=7))


MAKERS: Mapping[Callable[[Moment], Event], int] = {
    partial(_appointment, AppointmentBooked): 14,
    _rescheduled: 2,
    partial(_appointment, AppointmentConfirmed): 2,
    _cancelled: 5,
    lambda moment: _appointment(AppointmentCompleted, moment, completed_at=moment.at): 9,
    lambda moment: _appointment(AppointmentMissed, moment, recorded_at=moment.at): 4,
    _corrected: 1,
    _sent: 20,
    _edited: 1,
    _deleted: 1,
    _scored: 15,
    _withdrawn: 1,
    _raised: 4,
    _extended: 1,
    lambda moment: _call(AlertEscalated, moment, round=2, escalated_at=moment.at): 2,
    _acknowledged: 3,
    lambda moment: _call(AlertHandedOver, moment, handed_over_by=moment.one_id(), handed_over_at=moment.at): 1,
    lambda moment: _alert(AlertResolved, moment, resolved_by=moment.one_id(), resolved_at=moment.at): 3,
    partial(_invoice, InvoiceDrafted): 1,
    _opened: 4,
    _paid: 3,
    lambda moment: _invoice(InvoiceVoided, moment, reason="issued_in_error"): 1,
    lambda moment: _invoice(InvoiceVoided, moment, reason="issued_in_error", number="2030-7"): 1,
    _credited: 1,
    _discarded: 1,
    _registered: 3,
    lambda moment: TherapistVerified(user_id=moment.one_id(), display_name="A therapist"): 1,
    lambda moment: UserSuspended(user_id=moment.one_id(), role=Role.PATIENT): 1,
    _session: 5,
    lambda moment: SessionRevoked(session_id=moment.one_id(), user_id=_somebody(moment), reason="signed_out"): 2,
}
"""How events are made, and how often each kind comes among a hundred or so."""
