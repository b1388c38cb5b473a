"""Who is there and who is typing, told to those who share a conversation, over all processes by Valkey. All of it may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from uuid import UUID

import orjson
from redis.exceptions import RedisError

from bloom_events.ids import TenantId
from messaging.clients.presence import PresenceStore
from messaging.socket.background import Background
from messaging.socket.failures import note
from messaging.socket.hub import Connection, Hub
from messaging.socket.pump import Units
from messaging.socket.server import event_frame
from messaging.use_cases import feed
from service_kit.logs import get_logger

_log = get_logger(__name__)

RENEW_SECONDS = 10.0
SWEEP_SECONDS = 5.0
GRACE_SECONDS = 2.0
"""Somebody who comes back within this time was never away: connections drop and return."""

MOST_CONVERSATIONS = 1_000

Tell = Callable[[dict[str, Any]], None]


class Presence:
    """`tell` reaches the other processes; what happens here is shown here without it."""

    def __init__(self, hub: Hub, units: Units, store: PresenceStore | None, tell: Tell, process: str) -> None:
        self._hub = hub
        self._units = units
        self._store = store
        self._tell = tell
        self._process = process
        self._background = Background()

    async def run(self) -> None:
        """Renews the entries of this process and finds those of dead ones, until it is cancelled."""
        await asyncio.gather(self._again(RENEW_SECONDS, self._renew), self._again(SWEEP_SECONDS, self._sweep))

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._background.close()
        if self._store is not None:
            await self._store.close()

    def arrived(self, connection: Connection) -> None:
        """A connection is there; the first one of a person is told of."""
        if len(self._hub.connections_of(*connection.person)) == 1:
            self._background.start(self._enter(connection))

    def left(self, connection: Connection, conversations: Iterable[UUID]) -> None:
        """A connection is over; once the last one of a person is, and stays so for a moment, it is told of."""
        if not self._hub.connections_of(*connection.person):
            self._background.start(self._leave(*connection.person, list(conversations)))

    async def online_among(self, tenant_id: TenantId, user_ids: list[UUID]) -> list[UUID]:
        """Those who are connected, as far as this process can know."""
        if self._store is not None:
            try:
                return await self._store.online_among(tenant_id, user_ids)
            except (RedisError, OSError) as error:
                _log.warning("presence.away", error=type(error).__name__)
        return [user_id for user_id in user_ids if self._hub.connections_of(tenant_id, user_id)]

    def tell_typing(self, connection: Connection, conversation_id: UUID) -> None:
        """Somebody writes in a conversation."""
        tenant_id, user_id = connection.person
        self._show_typing(tenant_id, user_id, conversation_id)
        self._tell({"k": "typing", "o": self._process, "t": tenant_id, "u": user_id, "c": conversation_id})

    def take(self, message: dict[str, Any]) -> None:
        """Shows here what another process tells."""
        if message.get("o") == self._process:
            return
        try:
            tenant_id, user_id = TenantId(UUID(message["t"])), UUID(message["u"])
            if message["k"] == "typing":
                self._show_typing(tenant_id, user_id, UUID(message["c"]))
            elif message["k"] == "presence":
                conversations = [UUID(each) for each in message["c"]]
                self._show_presence(tenant_id, user_id, conversations, is_online=bool(message["on"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            _log.warning("presence.unreadable")

    async def _enter(self, connection: Connection) -> None:
        was_nowhere = True
        if self._store is not None:
            try:
                was_nowhere = await self._store.enter(*connection.person)
            except (RedisError, OSError) as error:
                _log.warning("presence.away", error=type(error).__name__)
        if was_nowhere:
            self._announce(*connection.person, list(connection.subscriptions), is_online=True)

    async def _leave(self, tenant_id: TenantId, user_id: UUID, conversations: list[UUID]) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        if self._hub.connections_of(tenant_id, user_id):
            return
        is_nowhere = True
        if self._store is not None:
            try:
                is_nowhere = await self._store.leave(tenant_id, user_id)
            except (RedisError, OSError) as error:
                _log.warning("presence.away", error=type(error).__name__)
        if is_nowhere:
            self._announce(tenant_id, user_id, conversations, is_online=False)

    def _announce(self, tenant_id: TenantId, user_id: UUID, conversations: list[UUID], *, is_online: bool) -> None:
        self._show_presence(tenant_id, user_id, conversations, is_online=is_online)
        told = {"k": "presence", "o": self._process, "t": tenant_id, "u": user_id, "c": conversations, "on": is_online}
        self._tell(told)

    def _show_typing(self, tenant_id: TenantId, user_id: UUID, conversation_id: UUID) -> None:
        payload = orjson.dumps({"conversationId": str(conversation_id), "userId": str(user_id)})
        self._show("user-typing", payload, self._others(tenant_id, user_id, [conversation_id]))

    def _show_presence(self, tenant_id: TenantId, user_id: UUID, conversations: list[UUID], *, is_online: bool) -> None:
        payload = orjson.dumps({"userId": str(user_id), "online": is_online})
        self._show("presence", payload, self._others(tenant_id, user_id, conversations))

    def _show(self, event: str, payload: bytes, connections: set[Connection]) -> None:
        if connections:
            frame = event_frame(event, payload)
            for connection in connections:
                connection.offer(event, frame)

    def _others(self, tenant_id: TenantId, user_id: UUID, conversations: list[UUID]) -> set[Connection]:
        """The connections here that follow one of these conversations and are not the person's own."""
        tenant = self._hub.tenants.get(tenant_id)
        rooms = [tenant.rooms[each] for each in conversations if each in tenant.rooms] if tenant else []
        return {
            subscription.connection
            for room in rooms
            for subscription in room.subscriptions.values()
            if subscription.connection.is_known and subscription.connection.caller.subject != user_id
        }

    async def _renew(self, store: PresenceStore) -> None:
        people = [(tenant.tenant_id, user_id) for tenant in self._hub.all_tenants() for user_id in tenant.people]
        await store.renew(people)

    async def _sweep(self, store: PresenceStore) -> None:
        for tenant_id, user_id in await store.sweep():
            conversations = await feed.list_conversations_of(self._units(tenant_id), user_id, most=MOST_CONVERSATIONS)
            self._announce(tenant_id, user_id, conversations, is_online=False)

    async def _again(self, every_seconds: float, work: Callable[[PresenceStore], Coroutine[Any, Any, None]]) -> None:
        while self._store is not None:
            await asyncio.sleep(every_seconds)
            try:
                await work(self._store)
            except (RedisError, OSError) as error:
                _log.warning("presence.away", error=type(error).__name__)
            except Exception as error:  # the next time is another try
                note(error, "presence")
