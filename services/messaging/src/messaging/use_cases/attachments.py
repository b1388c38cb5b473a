"""Files of messages: announced, uploaded by the client straight to the object store, checked, downloaded, removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bloom_events.ids import AttachmentId, ConversationId, TenantId, new_id
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.sealing import DataKey
from messaging.clients.objects.port import ObjectStore, UploadLink
from messaging.domain.attachments import (
    DOWNLOAD_TIME,
    KEEP_UNSENT,
    NAME_PLACE,
    UPLOAD_TIME,
    Attachment,
    AttachmentState,
    Content,
    TooManyUnsent,
    UploadDiffers,
    object_key,
)
from messaging.domain.keys import KeyPlace
from messaging.domain.messages import AttachedFile
from messaging.domain.outcomes import ConversationNotFound
from messaging.domain.people import Actor
from messaging.repository.attachments import AttachmentRepository, DiscardedFiles, read_own, read_readable
from messaging.repository.keys import find_current_key
from messaging.use_cases.texts import open_key
from service_kit.database import Connection
from service_kit.unit_of_work import UnitOfWork

BATCH_FILES = 100
"""How many files housekeeping removes at a time."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file and the link to its content."""

    file: AttachedFile
    url: str
    expires_at: datetime


async def announce_upload(
    uow: UnitOfWork,
    keyring: Keyring,
    store: ObjectStore,
    uploader: Actor,
    *,
    conversation_id: UUID,
    name: str,
    content: Content,
    now: datetime,
) -> tuple[Attachment, UploadLink]:
    """Makes room for a file of a conversation and gives the link to upload it by."""
    attachment_id = AttachmentId(new_id())
    key = await _current_key(uow, keyring, conversation_id, uploader)
    sealed = key.seal(name, conversation_id=conversation_id, message_id=attachment_id, sequence=NAME_PLACE)
    attachment = Attachment.announce(
        attachment_id, uploader, conversation_id=conversation_id, content=content, name=sealed, now=now
    )
    async with uow.begin() as transaction:
        repository = AttachmentRepository(transaction.connection)
        if not await repository.has_room(uploader.user_id):
            raise TooManyUnsent
        if not await repository.add(attachment):
            raise ConversationNotFound
    return attachment, store.upload_link(_key_of(uow, attachment), content, UPLOAD_TIME)


async def complete_upload(uow: UnitOfWork, store: ObjectStore, uploader: Actor, attachment_id: UUID) -> Attachment:
    """Checks what was uploaded against what was announced; from then on a message may refer to it. Asking again is harmless."""
    announced = await read_own(uow, attachment_id, uploader.user_id)
    if announced.state is not AttachmentState.PENDING:
        return announced
    checked = announced.accept(await store.describe(_key_of(uow, announced)))
    async with uow.begin() as transaction:
        await AttachmentRepository(transaction.connection).settle(checked)
    if checked.state is AttachmentState.DISCARDED:
        raise UploadDiffers
    return checked


async def open_download(
    uow: UnitOfWork, keyring: Keyring, store: ObjectStore, reader: Actor, attachment_id: UUID, *, now: datetime
) -> Download:
    """A link to the content for somebody who may read the message, or who uploaded it."""
    found = await read_readable(uow, attachment_id, reader.user_id)
    attachment = found.attachment
    place = KeyPlace(uow.context.tenant_id, attachment.conversation_id, attachment.name.key_version)
    file = opened(attachment, await open_key(keyring, found.key, place))
    return Download(file, store.download_link(_key_of(uow, attachment), file.name, DOWNLOAD_TIME), now + DOWNLOAD_TIME)


def opened(attachment: Attachment, key: DataKey) -> AttachedFile:
    """The attachment as its readers are told of it; `key` is the version that seals its name. Raises CannotUnseal."""
    name = key.unseal(attachment.name, conversation_id=attachment.conversation_id, message_id=attachment.id)
    return AttachedFile(attachment.id, name, attachment.content.content_type, attachment.content.size_bytes)


async def remove_discarded(connection: Connection, store: ObjectStore, *, now: datetime) -> int:
    """Removes files that were never sent, and those of messages and conversations that are gone; says how many."""
    files = DiscardedFiles(connection)
    await files.discard_old(now - KEEP_UNSENT, BATCH_FILES)
    # While a link for the upload is good, the content could come back after it was removed.
    found = await files.list(now - UPLOAD_TIME, BATCH_FILES)
    for tenant_id, conversation_id, attachment_id in found:
        await _remove(files, store, tenant_id, conversation_id, attachment_id)
    return len(found)


async def _remove(
    files: DiscardedFiles, store: ObjectStore, tenant_id: TenantId, conversation_id: ConversationId, attachment_id: AttachmentId
) -> None:
    # The content first: a row without content is found again, content without a row is not.
    await store.remove(object_key(tenant_id, conversation_id, attachment_id))
    await files.remove(tenant_id, attachment_id)


async def _current_key(uow: UnitOfWork, keyring: Keyring, conversation_id: UUID, member: Actor) -> DataKey:
    stored = await find_current_key(uow, conversation_id, member.user_id)
    if stored is None:
        raise ConversationNotFound
    return await open_key(keyring, stored.wrapped, stored.place)


def _key_of(uow: UnitOfWork, attachment: Attachment) -> str:
    return object_key(uow.context.tenant_id, attachment.conversation_id, attachment.id)
