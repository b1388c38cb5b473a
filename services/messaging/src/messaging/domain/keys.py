"""What names a conversation's data key, and the form in which it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from bloom_events.ids import ConversationId, TenantId


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Whose key it is: bound into its wrapping, so that it cannot be passed off as the key of another conversation."""

    tenant_id: TenantId
    conversation_id: ConversationId
    version: int

    def as_bytes(self) -> bytes:
        """36 bytes: tenant, conversation, version."""
        return self.tenant_id.bytes + self.conversation_id.bytes + self.version.to_bytes(4)

    def as_words(self) -> dict[str, str]:
        """The same as names and values."""
        return {"tenant": str(self.tenant_id), "conversation": str(self.conversation_id), "version": str(self.version)}


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key under the key-encryption key that `kek_id` names, such as `file:2026-11`."""

    kek_id: str
    blob: bytes
