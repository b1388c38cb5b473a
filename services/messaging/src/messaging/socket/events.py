"""What clients send: each event is checked, counted and acknowledged; none of them ends a connection but a flood."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from bloom_events.auth import Role
from messaging.clients.wake import Waker
from messaging.domain.outcomes import ConversationNotFound
from messaging.domain.people import Actor
from messaging.schemas.sockets import AlertSeenEvent, ConversationEvent, ReceiptEvent, RenewEvent, ResumeEvent
from messaging.socket import metrics
from messaging.socket.connecting import Connecting
from messaging.socket.failures import is_away, note
from messaging.socket.following import Following
from messaging.socket.hub import Connection, Hub
from messaging.socket.presence import Presence
from messaging.socket.pump import Pump, Units
from messaging.use_cases import feed
from messaging.use_cases.reading import confirm_receipt
from service_kit.errors import Problem
from service_kit.unit_of_work import Clock

Answer = dict[str, Any]
Body = TypeVar("Body", bound=BaseModel)

TYPING_SECONDS = 1.0
"""Typing is told on at most so often per connection and conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The events of clients, by name."""

    hub: Hub
    units: Units
    connecting: Connecting
    following: Following
    presence: Presence
    pump: Pump
    waker: Waker
    clock: Clock

    async def take(self, sid: str, event: str, data: Any) -> Answer:
        """Does what a client asks for; gives what is acknowledged: `ok`, or the name of the problem."""
        connection = self.hub.find(sid)
        if connection is None:
            return _refused("not-connected")
        handler = self._handlers().get(event)
        if handler is None:
            return _counted("unknown", _refused("unknown-event"))
        if not connection.socket.is_within_budget:
            return _counted(event, _refused("too-many-requests"))
        return _counted(event, await _safely(handler, connection, data))

    def _handlers(self) -> dict[str, Callable[[Connection, Any], Awaitable[Answer]]]:
        return {
            "join": self._join,
            "resume": self._resume,
            "typing": self._typing,
            "delivered": self._delivered,
            "read": self._read,
            "presence": self._presence,
            "alert-seen": self._alert_seen,
            "renew": self._renew,
        }

    async def _join(self, connection: Connection, data: Any) -> Answer:
        wanted = ConversationEvent.model_validate(data)
        return {"sequence": await self.following.join(connection, wanted.conversation_id, None)}

    async def _resume(self, connection: Connection, data: Any) -> Answer:
        wanted = ResumeEvent.model_validate(data)
        return {"sequence": await self.following.join(connection, wanted.conversation_id, wanted.after)}

    async def _typing(self, connection: Connection, data: Any) -> Answer:
        conversation_id = _followed(connection, ConversationEvent.model_validate(data).conversation_id)
        now = asyncio.get_running_loop().time()
        if now - connection.typed_at.get(conversation_id, -TYPING_SECONDS) >= TYPING_SECONDS:
            connection.typed_at[conversation_id] = now
            self.presence.tell_typing(connection, conversation_id)
        return {}

    async def _presence(self, connection: Connection, data: Any) -> Answer:
        conversation_id = _followed(connection, ConversationEvent.model_validate(data).conversation_id)
        members = await feed.list_members(self.units(connection.caller.tenant_id), conversation_id)
        return {"online": await self.presence.online_among(connection.caller.tenant_id, members)}

    async def _delivered(self, connection: Connection, data: Any) -> Answer:
        receipt = ReceiptEvent.model_validate(data)
        return await self._confirm(connection, receipt.conversation_id, delivered=receipt.sequence, read=0)

    async def _read(self, connection: Connection, data: Any) -> Answer:
        receipt = ReceiptEvent.model_validate(data)
        return await self._confirm(connection, receipt.conversation_id, delivered=receipt.sequence, read=receipt.sequence)

    async def _confirm(self, connection: Connection, conversation_id: UUID, *, delivered: int, read: int) -> Answer:
        caller = connection.caller
        units = self.units(caller.tenant_id)
        member, place = await confirm_receipt(
            units, Actor(caller.subject, Role(caller.role)), conversation_id, delivered=delivered, read=read, now=self.clock()
        )
        if place is not None:
            self.waker.conversation(caller.tenant_id, conversation_id, place)
            self.pump.mark(self.hub.tenants[caller.tenant_id], conversation_id, place)
        return {"delivered": member.delivered, "read": member.read}

    async def _alert_seen(self, connection: Connection, data: Any) -> Answer:
        seen = AlertSeenEvent.model_validate(data)
        caller = connection.caller
        await feed.note_seen(self.units(caller.tenant_id), seen.alert_id, caller.subject, now=self.clock())
        return {}

    async def _renew(self, connection: Connection, data: Any) -> Answer:
        await self.connecting.renew(connection, RenewEvent.model_validate(data).token)
        return {}


async def _safely(handler: Callable[[Connection, Any], Awaitable[Answer]], connection: Connection, data: Any) -> Answer:
    try:
        return {"ok": True, **await handler(connection, data)}
    except ValidationError:
        return _refused("invalid-request")
    except Problem as problem:
        return _refused(problem.slug)
    except Exception as error:
        note(error, "event")
        return _refused("service-unavailable" if is_away(error) else "unexpected-error")


def _followed(connection: Connection, conversation_id: UUID) -> UUID:
    """The conversation, if the connection follows it; whoever follows it takes part in it."""
    if conversation_id not in connection.subscriptions:
        raise ConversationNotFound
    return conversation_id


def _refused(problem: str) -> Answer:
    return {"ok": False, "error": problem}


def _counted(event: str, answer: Answer) -> Answer:
    metrics.EVENTS.labels(event, "ok" if answer["ok"] else "refused").inc()
    return answer
