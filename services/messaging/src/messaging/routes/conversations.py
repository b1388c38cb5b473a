"""Routes that open and show conversations, and say who takes part."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from bloom_events.auth import Role
from bloom_events.ids import PatientId, TenantId, TherapistId
from messaging.dependencies import ADMINISTRATOR, Administrator, AnyRole, Keys, Limits, Now, Once, Participant, Uow, Wakes
from messaging.domain.conversations import Conversation
from messaging.domain.outcomes import (
    CannotTakePart,
    ConversationNotFound,
    KeyDestroyed,
    LastTherapist,
    MemberNotFound,
    NoCareRelationship,
    NotACareTeam,
    TooManyMembers,
)
from messaging.domain.people import Actor
from messaging.routes.answers import answers
from messaging.schemas.conversations import (
    CareTeamRequest,
    ConversationResponse,
    ConversationViewResponse,
    DirectRequest,
    MemberRequest,
    OpenRequest,
)
from messaging.schemas.cursors import before_conversation
from messaging.use_cases import conversations as use_cases
from messaging.use_cases import keys as key_use_cases
from service_kit.answering import answer
from service_kit.errors import (
    FieldError,
    Forbidden,
    IdempotencyKeyReused,
    InvalidCursor,
    InvalidRequest,
    RequestInProgress,
    ServiceUnavailable,
    TooManyRequests,
)
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of
from service_kit.unit_of_work import UnitOfWork

conversations = APIRouter(prefix="/api/conversations", tags=["conversations"])

OfPatient = Annotated[UUID | None, Query(alias="patientId", description="Only those about this patient.")]


@conversations.post(
    "",
    status_code=201,
    response_model=ConversationResponse,
    responses=answers(
        Forbidden,
        NoCareRelationship,
        CannotTakePart,
        TooManyRequests,
        ServiceUnavailable,
        IdempotencyKeyReused,
        RequestInProgress,
    ),
)
async def open_conversation(
    *, body: OpenRequest, caller: Participant, keys: Keys, wakes: Wakes, limits: Limits, once: Once, now: Now
) -> Response:
    """Opens a conversation.

    A patient and a therapist need an appointment together that was not called off; the two have one conversation, and opening it
    again gives that one. Care teams are opened by therapists who care for the patient.
    """
    await limits.check_opening()
    opened: list[tuple[TenantId, Conversation]] = []

    async def work(uow: UnitOfWork) -> ConversationResponse:
        if isinstance(body, CareTeamRequest):
            conversation = await _open_care_team(uow, keys, caller, body, now)
        else:
            patient_id, therapist_id = _pair(body, caller)
            conversation = await use_cases.open_direct(
                uow, keys, caller, patient_id=patient_id, therapist_id=therapist_id, now=now
            )
        opened.append((uow.context.tenant_id, conversation))
        return ConversationResponse.of(conversation)

    answered = await once.answer(201, work, headers=lambda each: {"Location": f"/api/conversations/{each.id}"})
    # After the answer is final: with an Idempotency-Key the transaction ends in there.
    for tenant_id, each in opened:
        wakes.conversation(tenant_id, each.id, each.last_sequence, each.member_ids)
    return answered


@conversations.get("", responses=answers(Forbidden, InvalidCursor))
async def list_conversations(
    *, caller: AnyRole, uow: Uow, patient_id: OfPatient = None, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[ConversationViewResponse]:
    """Conversations in which the caller takes part, the youngest first; for administrators all, without what is written."""
    before = before_conversation(cursor)
    found = await use_cases.list_conversations(uow, caller, patient_id=patient_id, before=before, limit=limit + 1)
    return page_of(found, limit=limit, present=ConversationViewResponse.of_view, key=lambda view: (view.conversation.id,))


@conversations.get(
    "/{conversation_id}", response_model=ConversationViewResponse, responses=answers(Forbidden, ConversationNotFound)
)
async def get_conversation(conversation_id: UUID, caller: AnyRole, uow: Uow) -> Response:
    """One conversation in which the caller takes part; for administrators any, without what is written."""
    return answer(ConversationViewResponse.of_view(await use_cases.get_conversation(uow, caller, conversation_id)))


@conversations.post(
    "/{conversation_id}/members",
    response_model=ConversationResponse,
    responses=answers(Forbidden, ConversationNotFound, NotACareTeam, CannotTakePart, TooManyMembers, KeyDestroyed),
)
async def add_member(
    *, conversation_id: UUID, body: MemberRequest, caller: Participant, uow: Uow, wakes: Wakes, now: Now
) -> Response:
    """Takes a therapist or the patient into a care team, for therapists in it who care for the patient.

    Who joins may read what was written before. Somebody who takes part already changes nothing.
    """
    changed = await use_cases.add_member(uow, caller, conversation_id, body.user_id, now=now)
    return _changed(changed, uow, wakes)


@conversations.delete(
    "/{conversation_id}/members/{user_id}",
    response_model=ConversationResponse,
    responses=answers(Forbidden, ConversationNotFound, MemberNotFound, NotACareTeam, LastTherapist),
)
async def remove_member(
    *, conversation_id: UUID, user_id: UUID, caller: Participant, uow: Uow, wakes: Wakes, now: Now
) -> Response:
    """Leaves a conversation, with one's own id; therapists who care for the patient take others out of a care team.

    The last therapist cannot leave before the patient: what a patient writes has a reader.
    """
    changed = await use_cases.remove_member(uow, caller, conversation_id, user_id, now=now)
    return _changed(changed, uow, wakes)


@conversations.post(
    "/{conversation_id}/rotate-key",
    dependencies=[ADMINISTRATOR],
    response_model=ConversationResponse,
    responses=answers(Forbidden, ConversationNotFound, KeyDestroyed, ServiceUnavailable),
)
async def rotate_key(conversation_id: UUID, uow: Uow, keys: Keys, now: Now) -> Response:
    """Seals what is written from now on under a new key; older texts keep theirs."""
    return answer(ConversationResponse.of(await key_use_cases.renew_key(uow, keys, conversation_id, now=now)))


@conversations.post(
    "/{conversation_id}/destroy-key", response_model=ConversationResponse, responses=answers(Forbidden, ConversationNotFound)
)
async def destroy_key(*, conversation_id: UUID, caller: Administrator, uow: Uow, keys: Keys, wakes: Wakes, now: Now) -> Response:
    """Destroys the keys of a conversation for good: nobody can read what was written in it, wherever a copy lies."""
    changed = await key_use_cases.destroy_keys(uow, keys, caller, conversation_id, now=now)
    return _changed(changed, uow, wakes)


async def _open_care_team(uow: UnitOfWork, keys: Keys, caller: Actor, body: CareTeamRequest, now: Now) -> Conversation:
    if caller.role is not Role.THERAPIST:
        raise Forbidden
    return await use_cases.open_care_team(
        uow, keys, caller, patient_id=PatientId(body.patient_id), member_ids=body.member_ids, now=now
    )


def _pair(body: DirectRequest, caller: Actor) -> tuple[PatientId, TherapistId]:
    """The caller and whom they name."""
    other, field = (body.therapist_id, "therapistId") if caller.role is Role.PATIENT else (body.patient_id, "patientId")
    if other is None:
        raise InvalidRequest(errors=[FieldError(("body", field), "missing", "must name the other one")])
    if caller.role is Role.PATIENT:
        return PatientId(caller.user_id), TherapistId(other)
    return PatientId(other), TherapistId(caller.user_id)


def _changed(conversation: Conversation, uow: UnitOfWork, wakes: Wakes) -> Response:
    wakes.conversation(uow.context.tenant_id, conversation.id, conversation.last_sequence, conversation.member_ids)
    return answer(ConversationResponse.of(conversation))
