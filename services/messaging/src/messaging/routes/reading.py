"""Routes that read a conversation: its history, its feed of changes, and the receipts of its members."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from messaging.dependencies import Keys, Limits, Now, Participant, Uow, Wakes
from messaging.domain.outcomes import ConversationNotFound
from messaging.routes.answers import answers
from messaging.schemas.changes import ChangesResponse, MessageResponse, present_change
from messaging.schemas.conversations import ReceiptRequest, ReceiptStateResponse
from messaging.schemas.cursors import before_place
from messaging.schemas.messages import present
from messaging.use_cases import reading as use_cases
from service_kit.answering import answer
from service_kit.errors import Forbidden, InvalidCursor, ServiceUnavailable, TooManyRequests
from service_kit.pagination import DEFAULT_LIMIT, Cursor, Limit, Page, page_of

reading = APIRouter(prefix="/api/conversations/{conversation_id}", tags=["conversations"])

After = Annotated[int, Query(ge=0, le=2**53 - 1, description="The last place that the client has; 0 for everything.")]


@reading.get("/messages", responses=answers(Forbidden, ConversationNotFound, InvalidCursor, ServiceUnavailable))
async def list_messages(
    *, conversation_id: UUID, caller: Participant, uow: Uow, keys: Keys, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[MessageResponse]:
    """The history of a conversation in which the caller takes part, the youngest message first. Deleted ones keep their place."""
    before = before_place(cursor)
    found = await use_cases.list_messages(uow, keys, caller, conversation_id, before=before, limit=limit + 1)
    return page_of(found, limit=limit, present=present, key=lambda each: (each.message.sequence,))


@reading.get("/changes", response_model=ChangesResponse, responses=answers(Forbidden, ConversationNotFound, ServiceUnavailable))
async def list_changes(
    *, conversation_id: UUID, caller: Participant, uow: Uow, keys: Keys, after: After = 0, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Everything that happened behind a place, in order and without gaps: with it a client that was away misses nothing.

    Messages are given as they stand now. There is more while the last item's sequence is below `lastSequence`.
    """
    feed = await use_cases.read_feed(uow, keys, caller.user_id, conversation_id, after=after, limit=limit)
    items = [
        present_change(each.change, body=each.readable.body, attachments=each.readable.attachments)
        if each.readable
        else present_change(each.change)
        for each in feed.changes
    ]
    return answer(ChangesResponse(items=items, last_sequence=feed.last_sequence))


@reading.post(
    "/receipts", response_model=ReceiptStateResponse, responses=answers(Forbidden, ConversationNotFound, TooManyRequests)
)
async def confirm_receipt(
    *, conversation_id: UUID, body: ReceiptRequest, caller: Participant, uow: Uow, wakes: Wakes, limits: Limits, now: Now
) -> Response:
    """Says up to which places the caller has received and read everything; the answer is what counts now."""
    await limits.check_receipts()
    member, sequence = await use_cases.confirm_receipt(
        uow, caller, conversation_id, delivered=body.delivered or 0, read=body.read or 0, now=now
    )
    if sequence is not None:
        wakes.conversation(uow.context.tenant_id, conversation_id, sequence)
    return answer(ReceiptStateResponse.of(member))
