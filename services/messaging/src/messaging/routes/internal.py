"""Routes for other services, which name themselves by a signed token; the gateway does not let them through."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from bloom_events.ids import ConversationId
from messaging.dependencies import Keys, Scoring
from messaging.schemas.keys import KeyResponse
from messaging.use_cases import keys as use_cases
from service_kit.answering import answer

internal = APIRouter(prefix="/internal", include_in_schema=False)

KeyVersion = Annotated[int, Path(ge=1, le=2**31 - 1)]


@internal.get("/conversations/{conversation_id}/keys/{key_version}", response_model=KeyResponse)
async def get_key(conversation_id: UUID, key_version: KeyVersion, uow: Scoring, keys: Keys) -> Response:
    """One of a conversation's keys, for a service that may read its text: to be kept for minutes and written nowhere."""
    secret = await use_cases.give_key(uow, keys, ConversationId(conversation_id), key_version)
    return answer(KeyResponse(key=b64encode(secret).decode()), headers={"Cache-Control": "no-store"})
