"""Routes that send, change and find messages."""

from __future__ import annotations

from uuid import UUID, uuid5

from fastapi import APIRouter, Response

from bloom_events.ids import MessageId, new_id
from messaging.dependencies import Keys, Limits, Now, Participant, SeenIfGiven, Uow, Wakes
from messaging.domain.attachments import AttachmentNotReady
from messaging.domain.outcomes import (
    ConversationNotFound,
    KeyDestroyed,
    MessageDeleted,
    MessageIdTaken,
    MessageNotFound,
    NotTheAuthor,
    ReplyTargetNotFound,
)
from messaging.domain.people import Actor
from messaging.routes.answers import answers
from messaging.schemas.changes import MessageResponse
from messaging.schemas.cursors import before_place_in
from messaging.schemas.messages import EditRequest, MessageRequest, SearchRequest, SentResponse, present
from messaging.use_cases import messages as use_cases
from messaging.use_cases.messages import Written
from messaging.use_cases.search import search_messages as search
from service_kit.answering import answer
from service_kit.errors import (
    Forbidden,
    IdempotencyKeyReused,
    InvalidCursor,
    PreconditionFailed,
    ServiceUnavailable,
    TooManyRequests,
)
from service_kit.etags import etag
from service_kit.idempotency import REPLAYED
from service_kit.pagination import Page, encode_cursor
from service_kit.request_scope import IdempotencyKey
from service_kit.unit_of_work import UnitOfWork

messages = APIRouter(prefix="/api/messages", tags=["messages"])


@messages.post(
    "",
    status_code=201,
    response_model=SentResponse,
    responses=answers(
        Forbidden,
        ConversationNotFound,
        KeyDestroyed,
        MessageIdTaken,
        ReplyTargetNotFound,
        AttachmentNotReady,
        TooManyRequests,
        ServiceUnavailable,
        IdempotencyKeyReused,
        etag=201,
    ),
)
async def send_message(
    *,
    body: MessageRequest,
    caller: Participant,
    uow: Uow,
    keys: Keys,
    wakes: Wakes,
    limits: Limits,
    now: Now,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Sends a message; the other members' sockets get it as soon as it is stored.

    The same `id` with the same content is the same message, however often it is sent; an Idempotency-Key stands in for an id.
    `analysis` is pending: the score follows by itself and never delays a message.
    """
    await limits.check_writing(body.conversation_id)
    draft = body.draft(_id_for(uow, caller, idempotency_key))
    try:
        written = await use_cases.send_message(uow, keys, caller, draft, now=now)
    except MessageIdTaken:
        if body.id is None:
            raise IdempotencyKeyReused from None
        raise
    sent = SentResponse.of(written.readable)
    headers = {"ETag": etag(sent.message.revision), "Location": f"/api/messages/{sent.message.id}"}
    if written.sequence is None:
        return answer(sent, status=201, headers={**headers, REPLAYED: "true"})
    wakes.conversation(uow.context.tenant_id, draft.conversation_id, written.sequence)
    return answer(sent, status=201, headers=headers)


@messages.post("/search", responses=answers(Forbidden, InvalidCursor, TooManyRequests, ServiceUnavailable))
async def search_messages(
    body: SearchRequest, caller: Participant, uow: Uow, keys: Keys, limits: Limits
) -> Page[MessageResponse]:
    """Finds messages that hold a text, in the caller's own conversations, without regard to case.

    They come conversation by conversation, the youngest first. Texts are sealed, so that a search opens each of them: one request
    looks into at most 500 messages. A page may hold fewer than `limit`, or none, and still have a next one.
    """
    await limits.check_search()
    before = before_place_in(body.cursor)
    found = await search(uow, keys, caller, body.text, conversation_id=body.conversation_id, before=before, limit=body.limit)
    next_cursor = encode_cursor(*found.goes_on_before) if found.goes_on_before else None
    return Page(items=[present(each) for each in found.messages], next_cursor=next_cursor)


@messages.get(
    "/{message_id}", response_model=MessageResponse, responses=answers(Forbidden, MessageNotFound, ServiceUnavailable, etag=200)
)
async def get_message(message_id: UUID, caller: Participant, uow: Uow, keys: Keys) -> Response:
    """One message of a conversation in which the caller takes part."""
    found = await use_cases.get_message(uow, keys, caller, message_id)
    return answer(present(found), headers={"ETag": etag(found.message.revision)})


_CHANGE = answers(
    Forbidden, MessageNotFound, NotTheAuthor, MessageDeleted, KeyDestroyed, PreconditionFailed, TooManyRequests, etag=200
)


@messages.patch("/{message_id}", response_model=MessageResponse, responses=_CHANGE)
async def edit_message(
    *,
    message_id: UUID,
    body: EditRequest,
    caller: Participant,
    uow: Uow,
    keys: Keys,
    wakes: Wakes,
    limits: Limits,
    seen: SeenIfGiven,
    now: Now,
) -> Response:
    """Replaces the text of one's own message, which is scored anew."""
    await limits.check_changing()
    written = await use_cases.edit_message(uow, keys, caller, message_id, body.body, seen=seen, now=now)
    return _changed(written, uow, wakes)


@messages.delete("/{message_id}", response_model=MessageResponse, responses=_CHANGE)
async def delete_message(
    *, message_id: UUID, caller: Participant, uow: Uow, wakes: Wakes, limits: Limits, seen: SeenIfGiven, now: Now
) -> Response:
    """Takes one's own message back: its place stays, its text is gone."""
    await limits.check_changing()
    written = await use_cases.delete_message(uow, caller, message_id, seen=seen, now=now)
    return _changed(written, uow, wakes)


def _changed(written: Written, uow: UnitOfWork, wakes: Wakes) -> Response:
    message = written.readable.message
    if written.sequence is not None:
        wakes.conversation(uow.context.tenant_id, message.conversation_id, written.sequence)
    return answer(present(written.readable), headers={"ETag": etag(message.revision)})


def _id_for(uow: UnitOfWork, caller: Actor, idempotency_key: str | None) -> MessageId:
    """The id of a message whose sender gave none: the same for the same key of the same person.

    The kit's answer-once guard would keep the answer, and with it the text in clear.
    """
    if idempotency_key is None:
        return MessageId(new_id())
    return MessageId(uuid5(uow.context.tenant_id, f"{caller.user_id} {idempotency_key}"))
