"""Rows of who takes part in which conversation."""

from __future__ import annotations

from datetime import datetime

from bloom_events.messaging import ConversationMemberJoined, ConversationMemberLeft
from service_kit.database import Connection

# The events of a conversation come in order; a replay brings old ones again, which must not undo what came after them.
_SET = """
    insert into conversation_members as m (conversation_id, member_id, member_role, is_member, changed_at)
    values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, conversation_id, member_id) do update set
        member_role = excluded.member_role, is_member = excluded.is_member, changed_at = excluded.changed_at
    where m.changed_at <= excluded.changed_at
"""


class MemberRepository:
    """Writes members within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hear(self, event: ConversationMemberJoined | ConversationMemberLeft, at: datetime) -> None:
        """Note who has joined or left at that time, unless something later is known."""
        is_member = isinstance(event, ConversationMemberJoined)
        await self._connection.execute(_SET, event.conversation_id, event.member_id, event.member_role, is_member, at)
