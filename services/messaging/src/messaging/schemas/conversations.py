"""Bodies of conversations and of those who take part."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import ConfigDict, Field

from bloom_events.auth import Role
from bloom_events.messaging import MAX_MEMBERS, ConversationKind
from messaging.domain.conversations import Conversation, ConversationView, Member
from messaging.schemas.fields import EXAMPLE_ID, Instant, Request, Response, SequenceNumber


class DirectRequest(Request):
    """A conversation of a patient and a therapist: the caller is one of them and names the other."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "direct", "therapistId": EXAMPLE_ID}]})

    kind: Literal["direct"]
    patient_id: UUID | None = Field(default=None, description="For therapists: the patient.")
    therapist_id: UUID | None = Field(default=None, description="For patients: the therapist.")


class CareTeamRequest(Request):
    """A group of those who care for one patient, with or without the patient."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "care_team", "patientId": EXAMPLE_ID, "memberIds": [EXAMPLE_ID]}]}
    )

    kind: Literal["care_team"]
    patient_id: UUID
    member_ids: list[UUID] = Field(
        default_factory=list, max_length=MAX_MEMBERS - 1, description="Who joins beside the caller: therapists, or the patient."
    )


OpenRequest: TypeAlias = Annotated[DirectRequest | CareTeamRequest, Field(discriminator="kind")]
"""A conversation to open; `kind` tells which."""


class MemberRequest(Request):
    """Who is to take part."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": EXAMPLE_ID}]})

    user_id: UUID


class ReceiptRequest(Request):
    """Up to which places the caller has received and read everything. Places never go back; what was read was received."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"delivered": 42, "read": 40}]}, extra="forbid")

    delivered: SequenceNumber | None = None
    read: SequenceNumber | None = None


class ReceiptStateResponse(Response):
    """Up to which places a member has received and read everything."""

    conversation_id: UUID
    member_id: UUID
    delivered: int
    read: int

    @classmethod
    def of(cls, member: Member) -> Self:
        return cls(conversation_id=member.conversation_id, member_id=member.user_id, delivered=member.delivered, read=member.read)


class MemberResponse(Response):
    """Somebody who takes part, and up to which places they have received and read everything."""

    user_id: UUID
    role: Role
    joined_at: Instant
    delivered: int
    read: int

    @classmethod
    def of(cls, member: Member) -> Self:
        return cls(
            user_id=member.user_id, role=member.role, joined_at=member.joined_at, delivered=member.delivered, read=member.read
        )


class ConversationResponse(Response):
    """A conversation, without what is written in it."""

    id: UUID
    kind: ConversationKind
    patient_id: UUID
    member_ids: list[UUID]
    opened_by: UUID
    opened_at: Instant
    last_sequence: int = Field(description="The place of the latest change; 0 before the first.")
    last_change_at: Instant
    last_message_at: Instant | None
    closed_at: Instant | None = Field(description="When its keys were destroyed, after which nothing of it can be read.")

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        return cls(**_facts(conversation))


class ConversationViewResponse(ConversationResponse):
    """A conversation with those who take part."""

    members: list[MemberResponse]
    unread: int | None = Field(
        description="Messages of others that the caller has not read, at most 100; null for administrators, who take no part."
    )

    @classmethod
    def of_view(cls, view: ConversationView) -> Self:
        members = [MemberResponse.of(each) for each in view.members]
        return cls(**_facts(view.conversation), members=members, unread=view.unread)


def _facts(conversation: Conversation) -> dict[str, object]:
    return {
        "id": conversation.id,
        "kind": conversation.kind,
        "patient_id": conversation.patient_id,
        "member_ids": list(conversation.member_ids),
        "opened_by": conversation.opened_by,
        "opened_at": conversation.opened_at,
        "last_sequence": conversation.last_sequence,
        "last_change_at": conversation.last_change_at,
        "last_message_at": conversation.last_message_at,
        "closed_at": conversation.keys_destroyed_at,
    }
