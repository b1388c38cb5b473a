"""A conversation and who takes part in it: each transition returns the new state, its place in the feed and its event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from bloom_events.auth import Role
from bloom_events.ids import ConversationId, PatientId, TherapistId, UserId
from bloom_events.messaging import (
    MAX_MEMBERS,
    ConversationKeyDestroyed,
    ConversationKind,
    ConversationMemberJoined,
    ConversationMemberLeft,
    ConversationOpened,
)
from messaging.domain.outcomes import (
    CannotTakePart,
    KeyDestroyed,
    LastTherapist,
    MemberNotFound,
    NoCareRelationship,
    NotACareTeam,
    TooManyMembers,
)
from messaging.domain.people import Actor, Person

FIRST_KEY = 1


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as its row says; `last_sequence` is the place of its latest change, made at `last_change_at`.

    Whoever makes a change holds the row: times never go back along the order of changes.
    """

    id: ConversationId
    kind: ConversationKind
    patient_id: PatientId
    therapist_id: TherapistId | None
    opened_by: UserId
    opened_at: datetime
    member_ids: tuple[UserId, ...]
    therapist_ids: tuple[TherapistId, ...]
    last_sequence: int
    last_change_at: datetime
    key_version: int
    last_message_at: datetime | None = None
    keys_destroyed_at: datetime | None = None

    @classmethod
    def open_direct(
        cls, conversation_id: ConversationId, opener: Actor, patient_id: PatientId, therapist_id: TherapistId, *, now: datetime
    ) -> tuple[Self, ConversationOpened]:
        """A patient and a therapist begin to write to each other; both still have to join."""
        return cls._open(ConversationKind.DIRECT, conversation_id, opener, patient_id, now=now, therapist_id=therapist_id)

    @classmethod
    def open_care_team(
        cls, conversation_id: ConversationId, opener: Actor, patient_id: PatientId, *, now: datetime
    ) -> tuple[Self, ConversationOpened]:
        """A therapist gathers those who care for a patient; all of them still have to join, the opener too."""
        return cls._open(ConversationKind.CARE_TEAM, conversation_id, opener, patient_id, now=now, therapist_id=None)

    @classmethod
    def _open(
        cls,
        kind: ConversationKind,
        conversation_id: ConversationId,
        opener: Actor,
        patient_id: PatientId,
        *,
        now: datetime,
        therapist_id: TherapistId | None,
    ) -> tuple[Self, ConversationOpened]:
        opened_by = UserId(opener.user_id)
        conversation = cls(
            id=conversation_id,
            kind=kind,
            patient_id=patient_id,
            therapist_id=therapist_id,
            opened_by=opened_by,
            opened_at=now,
            member_ids=(),
            therapist_ids=(),
            last_sequence=0,
            last_change_at=now,
            key_version=FIRST_KEY,
        )
        return conversation, ConversationOpened(**conversation._facts(), kind=kind, opened_by=opened_by)

    @property
    def is_closed(self) -> bool:
        """Whether its keys are gone, so that nothing more can be written in it."""
        return self.keys_destroyed_at is not None

    def must_be_open(self) -> None:
        if self.is_closed:
            raise KeyDestroyed

    def has_member(self, user_id: UUID) -> bool:
        return user_id in self.member_ids

    def join(self, member_id: UUID, role: Role, now: datetime) -> tuple[Self, ConversationMemberJoined]:
        """Somebody takes part from now on."""
        self.must_be_open()
        if len(self.member_ids) >= MAX_MEMBERS:
            raise TooManyMembers
        therapists = (*self.therapist_ids, TherapistId(member_id)) if role is Role.THERAPIST else self.therapist_ids
        joined = self._next(now, member_ids=(*self.member_ids, UserId(member_id)), therapist_ids=therapists)
        return joined, ConversationMemberJoined(**self._facts(), member_id=UserId(member_id), member_role=role)

    def leave(self, member_id: UUID, role: Role, now: datetime) -> tuple[Self, ConversationMemberLeft]:
        """Somebody takes part no longer."""
        if not self.has_member(member_id):
            raise MemberNotFound
        if self.has_member(self.patient_id) and self.therapist_ids == (member_id,) and not self.is_closed:
            raise LastTherapist
        left = self._next(
            now,
            member_ids=tuple(each for each in self.member_ids if each != member_id),
            therapist_ids=tuple(each for each in self.therapist_ids if each != member_id),
        )
        return left, ConversationMemberLeft(**self._facts(), member_id=UserId(member_id), member_role=role)

    def destroy_keys(self, now: datetime) -> tuple[Self, ConversationKeyDestroyed]:
        """Nobody can read what was written from now on, wherever a copy of it lies."""
        self.must_be_open()
        closed = self._next(now, keys_destroyed_at=now)
        return closed, ConversationKeyDestroyed(**self._facts(), destroyed_at=now)

    def renew_key(self) -> Self:
        """What is written from now on is sealed under another key."""
        self.must_be_open()
        return replace(self, key_version=self.key_version + 1)

    def _next(self, now: datetime, **changes: Any) -> Self:
        return replace(self, last_sequence=self.last_sequence + 1, last_change_at=max(now, self.last_change_at), **changes)

    def _facts(self) -> dict[str, Any]:
        return {"conversation_id": self.id, "patient_id": self.patient_id}


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who takes, or took, part; and up to which place everything was delivered to them and read by them."""

    conversation_id: ConversationId
    user_id: UserId
    role: Role
    joined_at: datetime
    left_at: datetime | None
    delivered: int
    read: int

    def confirm(self, *, delivered: int, read: int, last_sequence: int) -> Member | None:
        """The member has everything up to these places, as far as they exist; None where that was known already."""
        read_up_to = max(self.read, min(read, last_sequence))
        delivered_up_to = max(self.delivered, min(delivered, last_sequence), read_up_to)
        if (delivered_up_to, read_up_to) == (self.delivered, self.read):
            return None
        return replace(self, delivered=delivered_up_to, read=read_up_to)


def must_care(*, is_cared_for: bool, people: Sequence[Person]) -> None:
    """Only people who have a care relationship, and whose accounts are not suspended, begin to write to each other."""
    if not is_cared_for or any(not person.is_active for person in people):
        raise NoCareRelationship


def must_be_eligible(person: Person | None, patient_id: UUID) -> Person:
    """A care team is joined by therapists and by the patient whom it is about, whose accounts are in use."""
    if person is None or not person.is_active:
        raise CannotTakePart
    if person.role is not Role.THERAPIST and person.user_id != patient_id:
        raise CannotTakePart
    return person


def must_be_care_team(conversation: Conversation) -> None:
    if conversation.kind is not ConversationKind.CARE_TEAM:
        raise NotACareTeam


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as somebody sees it: who takes part now, and how many messages of others wait, up to a hundred.

    `unread` is None for administrators, who take no part.
    """

    conversation: Conversation
    members: tuple[Member, ...]
    unread: int | None
