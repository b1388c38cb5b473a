"""Routes for the files of messages; their content goes between client and object store, never through this service."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from messaging.dependencies import Keys, Limits, Now, Objects, Once, Participant, Uow
from messaging.domain.attachments import AttachmentNotFound, NothingUploaded, TooManyUnsent, UploadDiffers
from messaging.domain.outcomes import ConversationNotFound
from messaging.routes.answers import answers
from messaging.schemas.attachments import AttachmentStateResponse, DownloadResponse, UploadRequest, UploadResponse
from messaging.use_cases import attachments as use_cases
from service_kit.answering import answer
from service_kit.errors import Forbidden, IdempotencyKeyReused, RequestInProgress, ServiceUnavailable, TooManyRequests
from service_kit.unit_of_work import UnitOfWork

attachments = APIRouter(prefix="/api/attachments", tags=["attachments"])


@attachments.post(
    "",
    status_code=201,
    response_model=UploadResponse,
    responses=answers(
        Forbidden,
        ConversationNotFound,
        TooManyUnsent,
        TooManyRequests,
        ServiceUnavailable,
        IdempotencyKeyReused,
        RequestInProgress,
    ),
)
async def announce_upload(
    *, body: UploadRequest, caller: Participant, keys: Keys, objects: Objects, limits: Limits, once: Once, now: Now
) -> Response:
    """Announces a file for a conversation and gives a link to upload exactly that content by, good for 15 minutes.

    Then `complete` it, and send a message with its id within 24 hours; what belongs to no message by then is removed.
    """
    await limits.check_attachments()

    async def work(uow: UnitOfWork) -> UploadResponse:
        attachment, link = await use_cases.announce_upload(
            uow, keys, objects, caller, conversation_id=body.conversation_id, name=body.name, content=body.content, now=now
        )
        return UploadResponse.of(attachment, link)

    return await once.answer(201, work, headers=lambda each: {"Location": f"/api/attachments/{each.attachment.id}"})


@attachments.post(
    "/{attachment_id}/complete",
    response_model=AttachmentStateResponse,
    responses=answers(Forbidden, AttachmentNotFound, NothingUploaded, UploadDiffers, TooManyRequests, ServiceUnavailable),
)
async def complete_upload(*, attachment_id: UUID, caller: Participant, uow: Uow, objects: Objects, limits: Limits) -> Response:
    """Checks the caller's own upload: size, type and checksum have to be the announced ones. Repeating it changes nothing."""
    await limits.check_attachments()
    return answer(AttachmentStateResponse.of(await use_cases.complete_upload(uow, objects, caller, attachment_id)))


@attachments.get(
    "/{attachment_id}",
    response_model=DownloadResponse,
    responses=answers(Forbidden, AttachmentNotFound, ServiceUnavailable),
)
async def get_attachment(
    *, attachment_id: UUID, caller: Participant, uow: Uow, keys: Keys, objects: Objects, now: Now
) -> Response:
    """A link to the content of a file, good for a minute, for those who take part in its conversation.

    Whatever the file is, a browser saves it and neither shows nor runs it.
    """
    found = await use_cases.open_download(uow, keys, objects, caller, attachment_id, now=now)
    return answer(DownloadResponse.of(found))
