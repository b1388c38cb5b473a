"""The one home of Kafka topics: creation, documents and access lists are generated from these rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

KEEP_EVERYTHING_MS = -1
"""Retention of topics of record: records carry the event's own time, so any limit would drop a back-dated replay."""

DEAD_LETTER_RETENTION_MS = 30 * 24 * 60 * 60 * 1000

_NAME = re.compile(r"bloom(\.[a-z][a-z0-9-]*)+\.v[1-9][0-9]*(\.[a-z][a-z0-9-]*\.dlq)?")
_LONGEST_NAME = 249


class DataClass(StrEnum):
    """How sensitive the records of a topic are."""

    NONE = "none"
    """Nothing about a person."""
    PSEUDONYMOUS = "pseudonymous"
    """Ids, times, states and amounts that lead to a person only through a service's own tables."""
    PHI = "PHI"
    """Health information about a person."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic: who writes it, who reads it, and how it is kept (`retention_ms` -1 keeps everything)."""

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    partitions: int
    retention_ms: int
    cleanup_policy: str
    data_class: DataClass
    holds: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a name outside `bloom.<aggregates>.v<n>`; underscores collide with dots in metric names."""
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST_NAME:
            raise ValueError(f"not a topic name: {self.name!r}")


def _of_record(
    name: str, *, producers: tuple[str, ...], consumers: tuple[str, ...] = (), data_class: DataClass, holds: str
) -> Topic:
    """Describe a topic that keeps every event of one kind of aggregate for good."""
    return Topic(
        name=name,
        producers=producers,
        consumers=consumers,
        partitions=6,
        retention_ms=KEEP_EVERYTHING_MS,
        cleanup_policy="delete",
        data_class=data_class,
        holds=holds,
    )


USERS = _of_record(
    "bloom.users.v1",
    producers=("auth",),
    consumers=("analytics", "appointments", "messaging", "notifications"),
    data_class=DataClass.PSEUDONYMOUS,
    holds="Accounts: registration, verification of therapists, suspension, a changed profile.",
)
SESSIONS = _of_record(
    "bloom.sessions.v1",
    producers=("auth",),
    consumers=("analytics", "messaging"),
    data_class=DataClass.PSEUDONYMOUS,
    holds="Sign-ins and their end, for audit and for cutting off open connections.",
)
THERAPISTS = _of_record(
    "bloom.therapists.v1",
    producers=("appointments",),
    data_class=DataClass.PSEUDONYMOUS,
    holds="What a therapist shows in the directory.",
)
APPOINTMENTS = _of_record(
    "bloom.appointments.v1",
    producers=("appointments",),
    consumers=("analytics", "billing", "messaging", "notifications"),
    data_class=DataClass.PSEUDONYMOUS,
    holds="Every change of an appointment, from booking to its end.",
)
INVOICES = _of_record(
    "bloom.invoices.v1",
    producers=("billing",),
    consumers=("analytics",),
    data_class=DataClass.PSEUDONYMOUS,
    holds="Every change of an invoice, from draft to paid, void or credited.",
)
CONVERSATIONS = _of_record(
    "bloom.conversations.v1",
    producers=("messaging",),
    consumers=("ml-scoring",),
    data_class=DataClass.PSEUDONYMOUS,
    holds="Who takes part in which conversation, and the end of a conversation's keys.",
)
MESSAGES = _of_record(
    "bloom.messages.v1",
    producers=("messaging",),
    consumers=("analytics", "ml-scoring", "notifications"),
    data_class=DataClass.PHI,
    holds="Messages, sealed: their text can be read with the conversation's key alone.",
)
RISK_SCORES = _of_record(
    "bloom.risk-scores.v1",
    producers=("ml-scoring",),
    consumers=("analytics", "notifications"),
    data_class=DataClass.PHI,
    holds="What the model says about each message.",
)
ALERTS = _of_record(
    "bloom.alerts.v1",
    producers=("notifications",),
    consumers=("analytics", "messaging"),
    data_class=DataClass.PHI,
    holds="Alerts about patients at risk, from being raised until a person resolves them.",
)
ALERT_DELIVERIES = _of_record(
    "bloom.alert-deliveries.v1",
    producers=("messaging",),
    consumers=("notifications",),
    data_class=DataClass.PSEUDONYMOUS,
    holds="When an alert was pushed to somebody's open connections, and when it was seen there.",
)
NOTIFICATIONS = _of_record(
    "bloom.notifications.v1",
    producers=("notifications",),
    data_class=DataClass.PSEUDONYMOUS,
    holds="What was sent to whom by e-mail, SMS and push; never what it said.",
)


def _of_results(subject: str) -> Topic:
    """Describe a topic of windowed results: of each window the newest revision stays for good."""
    return Topic(
        name=f"bloom.analytics.{subject}.v1",
        producers=("analytics",),
        consumers=(),
        partitions=3,
        retention_ms=KEEP_EVERYTHING_MS,
        cleanup_policy="compact",
        data_class=DataClass.NONE,
        holds=f"Windowed results about {subject}: counts, sums and percentiles of groups, never of a person.",
    )


APPOINTMENT_RESULTS = _of_results("appointments")
MESSAGE_RESULTS = _of_results("messages")
RISK_RESULTS = _of_results("risk")
ALERT_RESULTS = _of_results("alerts")
REVENUE_RESULTS = _of_results("revenue")
PEOPLE_RESULTS = _of_results("people")

TOPICS: tuple[Topic, ...] = (
    USERS,
    SESSIONS,
    THERAPISTS,
    APPOINTMENTS,
    INVOICES,
    CONVERSATIONS,
    MESSAGES,
    RISK_SCORES,
    ALERTS,
    ALERT_DELIVERIES,
    NOTIFICATIONS,
    APPOINTMENT_RESULTS,
    MESSAGE_RESULTS,
    RISK_RESULTS,
    ALERT_RESULTS,
    REVENUE_RESULTS,
    PEOPLE_RESULTS,
)


def dead_letter(topic: Topic, consumer: str) -> Topic:
    """Return the topic where `consumer` parks records of `topic` that it cannot handle.

    Stamp parked records with the time of parking: retention looks at the record's time. Raises ValueError
    if `consumer` is not a consumer of `topic`, because then nobody creates the topic.
    """
    if consumer not in topic.consumers:
        raise ValueError(f"{consumer} is not among the consumers of {topic.name}")
    return Topic(
        name=f"{topic.name}.{consumer}.dlq",
        producers=(consumer,),
        consumers=(),
        partitions=1,
        retention_ms=DEAD_LETTER_RETENTION_MS,
        cleanup_policy="delete",
        data_class=topic.data_class,
        holds=f"Records of {topic.name} that {consumer} could not handle.",
    )


def all_topics() -> tuple[Topic, ...]:
    """Return every topic that must exist: those of record, each followed by its consumers' dead letters."""
    return tuple(each for topic in TOPICS for each in (topic, *(dead_letter(topic, consumer) for consumer in topic.consumers)))
