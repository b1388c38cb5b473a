"""Every command of messaging that has to do with files, each in a practice of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self
from uuid import UUID, uuid4

from tests.faults.crash_appointments import good
from tests.faults.crash_messaging import Practice
from tests.faults.file_shelf import FileShelf
from tests.faults.stands import Answer, Command, Send, Stand

from bloom_events.ids import TenantId
from messaging.domain.attachments import Content, object_key

FORM = Content("application/pdf", 48_213, sha256(b"form").digest())


@dataclass(frozen=True, slots=True)
class Sharing:
    """A patient who has written to a therapist and has a file for the conversation."""

    practice: Practice
    conversation_id: str

    @classmethod
    async def among(cls, stand: Stand) -> Self:
        practice = await Practice(stand).meet()
        conversation_id, _ = await practice.written()
        return cls(practice, conversation_id)

    async def announce(self, key: str | None = None) -> Answer:
        content = {"contentType": FORM.content_type, "sizeBytes": FORM.size_bytes, "sha256": FORM.sha256.hex()}
        body = {"conversationId": self.conversation_id, "name": "form.pdf", **content}
        return await self.practice.ask("POST", "/api/attachments", body, self.practice.patient, key)

    async def uploaded(self, content: Content = FORM) -> str:
        """The id of a file that was announced, and then uploaded with this content."""
        attachment_id: str = json.loads(good(await self.announce()).body)["attachment"]["id"]
        shelf: FileShelf = self.practice.stand.app.state.kit.resources["objects"]
        tenant_id = TenantId(self.practice.tenant_id)
        shelf.upload(object_key(tenant_id, UUID(self.conversation_id), UUID(attachment_id)), content)
        return attachment_id

    async def complete(self, attachment_id: str) -> Answer:
        return await self.practice.ask("POST", f"/api/attachments/{attachment_id}/complete", None, self.practice.patient)

    async def ready(self) -> str:
        """The id of a file that a message may refer to."""
        attachment_id = await self.uploaded()
        good(await self.complete(attachment_id))
        return attachment_id

    async def send(self, attachment_id: str, key: str | None = None) -> Answer:
        return await self.practice.send(self.conversation_id, key, attachmentIds=[attachment_id])


async def _announcing(stand: Stand) -> Send:
    sharing, key = await Sharing.among(stand), str(uuid4())
    return lambda: sharing.announce(key)


async def _completing(stand: Stand) -> Send:
    sharing = await Sharing.among(stand)
    attachment_id = await sharing.uploaded()
    return lambda: sharing.complete(attachment_id)


async def _completing_another(stand: Stand) -> Send:
    sharing = await Sharing.among(stand)
    attachment_id = await sharing.uploaded(replace(FORM, size_bytes=1))
    return lambda: sharing.complete(attachment_id)


async def _sending(stand: Stand) -> Send:
    sharing, key = await Sharing.among(stand), str(uuid4())
    attachment_id = await sharing.ready()
    return lambda: sharing.send(attachment_id, key)


async def _deleting(stand: Stand) -> Send:
    sharing = await Sharing.among(stand)
    sent = good(await sharing.send(await sharing.ready()))
    path = f"/api/messages/{json.loads(sent.body)['message']['id']}"
    return lambda: sharing.practice.ask("DELETE", path, None, sharing.practice.patient)


async def _destroying(stand: Stand) -> Send:
    sharing = await Sharing.among(stand)
    good(await sharing.send(await sharing.ready()))
    path = f"/api/conversations/{sharing.conversation_id}/destroy-key"
    return lambda: sharing.practice.ask("POST", path, None, sharing.practice.administrator)


COMMANDS = (
    Command("announce a file", _announcing, 201, keyed=True),
    Command("complete an upload", _completing),
    Command("refuse an upload of something else", _completing_another, 409),
    Command("send a message with a file", _sending, 201, keyed=True),
    Command("delete a message with a file", _deleting),
    Command("destroy the keys of a conversation with files", _destroying),
)
