"""The one table that decides about every field of every event, at the class that declares the field.

A test holds it complete: an event or a field that is not decided about here fails the build. Every id is pseudonymised, of people
and of what is theirs: an appointment leads to its patient for whoever reads the appointments' own table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from analytics.domain.lake.columns import PSEUDONYM, PSEUDONYMS, Column, Decision, Kind, columns_for, dropped, kept, split
from bloom_events import alerts, appointments, auth, billing, messaging, notifications, risk
from bloom_events.event import Event
from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import TOPICS, Topic

Decisions = Mapping[str, Decision]

TEXT, INTEGER, NUMBER, FLAG = kept(Kind.TEXT), kept(Kind.INTEGER), kept(Kind.NUMBER), kept(Kind.FLAG)
TIME, DAY = kept(Kind.TIME), kept(Kind.DAY)
NAME = dropped("a person's name")
NUMBER_ON_PAPER = dropped("printed on what a patient receives")
SEALED = dropped("a sealed text")

_ACCOUNTS: Mapping[type[Event], Decisions] = {
    auth.UserEvent: {"user_id": PSEUDONYM},
    auth.UserRegistered: {"role": TEXT, "status": TEXT},
    auth.TherapistVerified: {"display_name": NAME},
    auth.UserSuspended: {"role": TEXT},
    auth.UserReinstated: {"role": TEXT},
    auth.UserProfileChanged: {"revision": INTEGER},
    auth.SessionEvent: {"session_id": PSEUDONYM, "user_id": PSEUDONYM},
    auth.SessionStarted: {"role": TEXT, "expires_at": TIME},
    auth.SessionRevoked: {"reason": TEXT},
}

_APPOINTMENTS: Mapping[type[Event], Decisions] = {
    appointments.AppointmentEvent: {
        "appointment_id": PSEUDONYM, "revision": INTEGER, "patient_id": PSEUDONYM, "therapist_id": PSEUDONYM, "visit_type": TEXT,
        "starts_at": TIME, "ends_at": TIME,
    },
    appointments.AppointmentBooked: {},
    appointments.AppointmentRescheduled: {"previous_starts_at": TIME, "previous_ends_at": TIME},
    appointments.AppointmentConfirmed: {},
    appointments.AppointmentCancelled: {"cancelled_by": TEXT, "cancelled_at": TIME},
    appointments.AppointmentCompleted: {"completed_at": TIME},
    appointments.AppointmentMissed: {"recorded_at": TIME},
    appointments.AppointmentCorrected: {"corrected_to": TEXT, "corrected_at": TIME},
    appointments.TherapistProfileChanged: {
        "therapist_id": PSEUDONYM, "display_name": NAME, "accepts_new_patients": FLAG, "time_zone": TEXT,
    },
}  # fmt: skip

_INVOICES: Mapping[type[Event], Decisions] = {
    billing.InvoiceEvent: {"invoice_id": PSEUDONYM, "appointment_id": PSEUDONYM, "patient_id": PSEUDONYM},
    billing.PricedInvoiceEvent: {
        "therapist_id": PSEUDONYM, "currency": TEXT, "net_minor": INTEGER, "tax_minor": INTEGER, "total_minor": INTEGER,
    },
    billing.InvoiceDrafted: {},
    billing.InvoiceOpened: {"number": NUMBER_ON_PAPER, "issued_at": TIME, "due_on": DAY},
    billing.InvoicePaid: {"number": NUMBER_ON_PAPER, "paid_at": TIME, "amount_minor": INTEGER},
    billing.InvoiceVoided: {"number": NUMBER_ON_PAPER, "reason": TEXT},
    billing.InvoiceDiscarded: {},
    billing.InvoiceCredited: {
        "number": NUMBER_ON_PAPER, "credit_note_id": PSEUDONYM, "credit_note_number": NUMBER_ON_PAPER,
    },
}  # fmt: skip

_ABOUT_A_MESSAGE: Decisions = {
    "conversation_id": PSEUDONYM, "message_id": PSEUDONYM, "sequence": INTEGER, "revision": INTEGER, "patient_id": PSEUDONYM,
    "author_id": PSEUDONYM, "author_role": TEXT, "therapist_ids": PSEUDONYMS,
}  # fmt: skip

_MESSAGES: Mapping[type[Event], Decisions] = {
    messaging.ConversationEvent: {"conversation_id": PSEUDONYM, "patient_id": PSEUDONYM},
    messaging.ConversationOpened: {"kind": TEXT, "opened_by": PSEUDONYM},
    messaging.ConversationMemberJoined: {"member_id": PSEUDONYM, "member_role": TEXT},
    messaging.ConversationMemberLeft: {"member_id": PSEUDONYM, "member_role": TEXT},
    messaging.ConversationKeyDestroyed: {"destroyed_at": TIME},
    messaging.MessageEvent: _ABOUT_A_MESSAGE,
    messaging.SealedMessageEvent: {"key_version": SEALED, "nonce": SEALED, "ciphertext": SEALED},
    messaging.MessageSent: {"sent_at": TIME, "attachments": INTEGER, "reply_to_id": PSEUDONYM},
    messaging.MessageEdited: {"sent_at": TIME, "edited_at": TIME},
    messaging.MessageDeleted: {"deleted_at": TIME},
    messaging.AlertDeliveryEvent: {"alert_id": PSEUDONYM, "user_id": PSEUDONYM, "channel": TEXT},
    messaging.AlertPushed: {"pushed_at": TIME},
    messaging.AlertSeen: {"seen_at": TIME},
}

_RISK: Mapping[type[Event], Decisions] = {
    risk.RiskEvent: _ABOUT_A_MESSAGE,
    risk.RiskScored: {
        "analysis_id": PSEUDONYM, "label": TEXT,
        "probabilities": split(
            anxiety=NUMBER, bipolar=NUMBER, depression=NUMBER, normal=NUMBER, personality_disorder=NUMBER, stress=NUMBER,
            suicidal=NUMBER,
        ),
        "level": TEXT, "model_name": TEXT, "model_version": TEXT, "model_hash": TEXT, "tokenizer_hash": TEXT, "windows": INTEGER,
        "message_sent_at": TIME, "received_at": TIME, "scored_at": TIME, "model_milliseconds": NUMBER,
    },
    risk.RiskWithdrawn: {"withdrawn_at": TIME},
}  # fmt: skip

_ALERTS: Mapping[type[Event], Decisions] = {
    alerts.AlertEvent: {
        "alert_id": PSEUDONYM, "revision": INTEGER, "conversation_id": PSEUDONYM, "patient_id": PSEUDONYM, "level": TEXT,
        "notify": PSEUDONYMS,
    },
    alerts.CallingEvent: {"step": TEXT, "called": PSEUDONYMS, "deadline": TIME},
    alerts.AlertRaised: {"cause": TEXT, "message_id": PSEUDONYM, "message_sent_at": TIME, "raised_at": TIME},
    alerts.AlertExtended: {"cause": TEXT, "message_id": PSEUDONYM, "deadline": TIME, "extended_at": TIME},
    alerts.AlertEscalated: {"round": INTEGER, "escalated_at": TIME},
    alerts.AlertAcknowledged: {"acknowledged_by": PSEUDONYM, "acknowledged_at": TIME, "message_sent_at": TIME},
    alerts.AlertHandedOver: {"handed_over_by": PSEUDONYM, "handed_over_at": TIME},
    alerts.AlertResolved: {"resolved_by": PSEUDONYM, "resolved_at": TIME},
}  # fmt: skip

_NOTIFICATIONS: Mapping[type[Event], Decisions] = {
    notifications.NotificationEvent: {
        "notification_id": PSEUDONYM, "user_id": PSEUDONYM, "channel": TEXT, "template": TEXT, "about": PSEUDONYM,
    },
    notifications.NotificationSent: {"sent_at": TIME},
    notifications.NotificationFailed: {"reason": TEXT, "failed_at": TIME},
}  # fmt: skip

FIELDS: Mapping[type[Event], Decisions] = MappingProxyType(
    {**_ACCOUNTS, **_APPOINTMENTS, **_INVOICES, **_MESSAGES, **_RISK, **_ALERTS, **_NOTIFICATIONS}
)
"""What was decided about each field, by the class that declares it."""

COMMON = {
    "event_id": (Kind.TEXT, "The event's id: what comes twice has it twice, until the day is compacted."),
    "tenant": (Kind.TEXT, "The tenant's id."),
    "time": (Kind.TIME, "When it happened."),
    "subject": (Kind.TEXT, "Pseudonym of the aggregate that it happened to: the same as that id's own column."),
    "log_partition": (Kind.INTEGER, "The partition of the topic on which it lies."),
    "log_offset": (Kind.INTEGER, "Its place there."),
}
"""The columns that every type has before its own; `type` and `date` are in the path."""

LAKE_TOPICS: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.cleanup_policy == "delete")
"""The topics of record. Results of windows are left out: they can be computed from these at any time."""

LAKE_TYPES: Mapping[str, type[Event]] = MappingProxyType(
    {name: kind for name, kind in EVENT_TYPES.items() if kind.TOPIC in LAKE_TOPICS}
)
"""The types of event that the lake keeps, by wire type."""


@cache
def decisions_of(kind: type[Event]) -> Decisions:
    """What was decided about each field of an event, inherited ones first."""
    return {name: decision for each in reversed(kind.__mro__) for name, decision in FIELDS.get(each, {}).items()}


@cache
def columns_of(kind: type[Event]) -> tuple[Column, ...]:
    """The columns of a type of event beside the common ones."""
    return columns_for(decisions_of(kind))
