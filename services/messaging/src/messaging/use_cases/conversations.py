"""Opening conversations, and who takes part in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bloom_events.auth import Role
from bloom_events.event import Event
from bloom_events.ids import ConversationId, PatientId, TherapistId, UserId, new_id
from messaging.clients.keys.keyring import Keyring
from messaging.domain.changes import ChangeKind, MemberChange
from messaging.domain.conversations import (
    FIRST_KEY,
    Conversation,
    ConversationView,
    must_be_care_team,
    must_be_eligible,
    must_care,
)
from messaging.domain.keys import KeyPlace, WrappedKey
from messaging.domain.outcomes import ConversationNotFound, MemberNotFound
from messaging.domain.people import Actor, Person
from messaging.repository.changes import ChangeRepository
from messaging.repository.conversations import ConversationRepository, read_view
from messaging.repository.keys import KeyRepository
from messaging.repository.people import PeopleRepository
from service_kit.errors import Forbidden
from service_kit.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class Joining:
    """Somebody who is to join, and in which role."""

    user_id: UUID
    role: Role


async def open_direct(
    uow: UnitOfWork, keyring: Keyring, opener: Actor, *, patient_id: PatientId, therapist_id: TherapistId, now: datetime
) -> Conversation:
    """The conversation of a patient and a therapist, opened if there is none; an opener who had left it takes part again."""
    conversation_id = ConversationId(new_id())
    wrapped = await _new_key(uow, keyring, conversation_id)
    async with uow.begin() as transaction:
        people = PeopleRepository(transaction.connection)
        is_cared_for = await people.are_in_care(patient_id, therapist_id)
        must_care(is_cared_for=is_cared_for, people=list((await people.find([patient_id, therapist_id])).values()))
        found = await ConversationRepository(transaction.connection).find_direct(patient_id, therapist_id)
        if found is None:
            conversation, opened = Conversation.open_direct(conversation_id, opener, patient_id, therapist_id, now=now)
            if await _add(transaction, conversation, wrapped):
                both = [Joining(patient_id, Role.PATIENT), Joining(therapist_id, Role.THERAPIST)]
                return await _join_all(transaction, conversation, both, opener, now, opened)
            found = await ConversationRepository(transaction.connection).find_direct(patient_id, therapist_id)
        if found is None:
            raise ConversationNotFound
        if found.has_member(opener.user_id):
            return found
        return await _join_all(transaction, found, [Joining(opener.user_id, opener.role)], opener, now)


async def open_care_team(
    uow: UnitOfWork, keyring: Keyring, opener: Actor, *, patient_id: PatientId, member_ids: Sequence[UUID], now: datetime
) -> Conversation:
    """A group of those who care for a patient, opened by a therapist who does."""
    conversation_id = ConversationId(new_id())
    wrapped = await _new_key(uow, keyring, conversation_id)
    async with uow.begin() as transaction:
        people = PeopleRepository(transaction.connection)
        must_care(is_cared_for=await people.are_in_care(patient_id, opener.user_id), people=())
        others = [each for each in dict.fromkeys(member_ids) if each != opener.user_id]
        joining = [Joining(opener.user_id, opener.role), *await _eligible(people, others, patient_id)]
        conversation, opened = Conversation.open_care_team(conversation_id, opener, patient_id, now=now)
        await _add(transaction, conversation, wrapped)
        return await _join_all(transaction, conversation, joining, opener, now, opened)


async def add_member(uow: UnitOfWork, actor: Actor, conversation_id: UUID, user_id: UUID, *, now: datetime) -> Conversation:
    """A therapist who cares for the patient takes somebody into the care team."""
    async with uow.begin() as transaction:
        conversation = await ConversationRepository(transaction.connection).lock(conversation_id, actor.user_id)
        must_be_care_team(conversation)
        await _must_lead(transaction, conversation, actor)
        if conversation.has_member(user_id):
            return conversation
        joining = await _eligible(PeopleRepository(transaction.connection), [user_id], conversation.patient_id)
        return await _join_all(transaction, conversation, joining, actor, now)


async def remove_member(uow: UnitOfWork, actor: Actor, conversation_id: UUID, user_id: UUID, *, now: datetime) -> Conversation:
    """Somebody leaves; or a therapist who cares for the patient takes another one out of the care team."""
    async with uow.begin() as transaction:
        conversations = ConversationRepository(transaction.connection)
        conversation = await conversations.lock(conversation_id, actor.user_id)
        if user_id != actor.user_id:
            must_be_care_team(conversation)
            await _must_lead(transaction, conversation, actor)
        role = await conversations.role_of(conversation_id, user_id)
        if role is None:
            raise MemberNotFound
        left, event = conversation.leave(user_id, role, now)
        await conversations.save(left)
        await conversations.remove_member(left, user_id)
        change = _member_change(left, ChangeKind.MEMBER_LEFT, Joining(user_id, role), actor)
        await ChangeRepository(transaction.connection).add(change)
        await transaction.publish(event)
    return left


async def get_conversation(uow: UnitOfWork, viewer: Actor, conversation_id: UUID) -> ConversationView:
    """A conversation in which the viewer takes part; administrators see who takes part in any."""
    return await read_view(uow, conversation_id, viewer.user_id, is_administrator=viewer.role is Role.ADMINISTRATOR)


async def list_conversations(
    uow: UnitOfWork, viewer: Actor, *, patient_id: UUID | None, before: UUID | None, limit: int
) -> list[ConversationView]:
    """Conversations that the viewer may see, the youngest first."""
    async with uow.begin() as transaction:
        repository = ConversationRepository(transaction.connection)
        is_administrator = viewer.role is Role.ADMINISTRATOR
        read = repository.list_of_administrator if is_administrator else repository.list_of_member
        return await read(viewer.user_id, patient_id=patient_id, before=before, limit=limit)


async def _new_key(uow: UnitOfWork, keyring: Keyring, conversation_id: ConversationId) -> tuple[KeyPlace, WrappedKey]:
    """A first key, wrapped before any transaction begins: its keeper may be a network away."""
    place = KeyPlace(uow.context.tenant_id, conversation_id, FIRST_KEY)
    _, wrapped = await keyring.make(place)
    return place, wrapped


async def _add(transaction: Transaction, conversation: Conversation, key: tuple[KeyPlace, WrappedKey]) -> bool:
    if not await ConversationRepository(transaction.connection).add(conversation):
        return False
    await KeyRepository(transaction.connection).add(*key, conversation.opened_at)
    return True


async def _join_all(
    transaction: Transaction,
    conversation: Conversation,
    joining: Sequence[Joining],
    actor: Actor,
    now: datetime,
    *before: Event,
) -> Conversation:
    """Takes everybody in, one place of the feed for each; `before` is published first."""
    repository, feed = ConversationRepository(transaction.connection), ChangeRepository(transaction.connection)
    events = list(before)
    for each in joining:
        conversation, joined = conversation.join(each.user_id, each.role, now)
        await repository.add_member(conversation, each.user_id, each.role)
        await feed.add(_member_change(conversation, ChangeKind.MEMBER_JOINED, each, actor))
        events.append(joined)
    await repository.save(conversation)
    await transaction.publish(*events)
    return conversation


def _member_change(conversation: Conversation, kind: ChangeKind, who: Joining, actor: Actor) -> MemberChange:
    return MemberChange(
        conversation_id=conversation.id,
        sequence=conversation.last_sequence,
        at=conversation.last_change_at,
        actor_id=UserId(actor.user_id),
        kind=ChangeKind.MEMBER_JOINED if kind is ChangeKind.MEMBER_JOINED else ChangeKind.MEMBER_LEFT,
        member_id=UserId(who.user_id),
        member_role=who.role,
    )


async def _must_lead(transaction: Transaction, conversation: Conversation, actor: Actor) -> None:
    """Who takes part in a care team is for therapists to say who care for the patient themselves."""
    people = PeopleRepository(transaction.connection)
    if actor.role is not Role.THERAPIST or not await people.are_in_care(conversation.patient_id, actor.user_id):
        raise Forbidden


async def _eligible(people: PeopleRepository, user_ids: Sequence[UUID], patient_id: UUID) -> list[Joining]:
    known = await people.find(user_ids)
    return [Joining(user_id, _role_of(known.get(user_id), patient_id)) for user_id in user_ids]


def _role_of(person: Person | None, patient_id: UUID) -> Role:
    return must_be_eligible(person, patient_id).role
