"""Which conversations a connection follows, and how it catches up with what it missed."""

from __future__ import annotations

import asyncio
from uuid import UUID

from messaging.clients.keys.keyring import Keyring
from messaging.domain.changes import ChangeKind, MemberChange
from messaging.domain.outcomes import ConversationNotFound
from messaging.socket import metrics
from messaging.socket.failures import note
from messaging.socket.hub import Connection, Hub, Subscription, Tenant
from messaging.socket.pump import Units, frame_of
from messaging.use_cases import feed
from messaging.use_cases.reading import ShownChange

CHANGES_AT_ONCE = 50
CATCHING_UP_AT_ONCE = 4
"""Connections that read what they missed; the others wait, so that a thousand that come back at once hold nobody up."""

SLOW_READER_SECONDS = 10.0
"""How long the client of a connection that catches up may read nothing."""

RETRY_SECONDS = 0.5


class Following:
    """Begins what connections follow, each from the place up to which its client has everything."""

    def __init__(self, hub: Hub, units: Units, keyring: Keyring) -> None:
        self._hub = hub
        self._units = units
        self._keyring = keyring
        self._places = asyncio.Semaphore(CATCHING_UP_AT_ONCE)

    def start(self, subscription: Subscription) -> None:
        """From here on the subscription gets what is behind its cursor, in order, and then whatever happens."""
        if subscription.connection.subscriptions.get(subscription.room.conversation_id) is not subscription:
            return
        if subscription.cursor >= subscription.room.position:
            subscription.is_live = True
        elif subscription.catching_up is None:
            subscription.catching_up = asyncio.create_task(self._catch_up(subscription))

    async def join(self, connection: Connection, conversation_id: UUID, after: int | None) -> int:
        """The connection follows a conversation in which the person takes part, from behind a place, or from now on.

        It begins in the next turn of the loop: behind the acknowledgement. Gives the place of the latest change.
        """
        latest = await feed.read_place(self._units(connection.caller.tenant_id), conversation_id, connection.caller.subject)
        if after is not None:
            metrics.RESUMES.labels("behind" if after < latest else "current").inc()
        if after is not None or conversation_id not in connection.subscriptions:
            cursor = latest if after is None else min(after, latest)
            subscription = self._hub.subscribe(connection, conversation_id, last_sequence=latest, cursor=cursor)
            asyncio.get_running_loop().call_soon(self.start, subscription)
        return latest

    async def admit(self, tenant: Tenant, conversation_id: UUID, user_id: UUID) -> None:
        """Somebody takes part in a conversation from now on: their connections follow it."""
        new = [each for each in tenant.people.get(user_id, ()) if conversation_id not in each.subscriptions]
        if not new:
            return
        try:
            latest = await feed.read_place(self._units(tenant.tenant_id), conversation_id, user_id)
        except ConversationNotFound:
            return
        for connection in new:
            if self._hub.find(connection.sid) is connection and conversation_id not in connection.subscriptions:
                subscription = self._hub.subscribe(connection, conversation_id, last_sequence=latest, cursor=latest)
                if connection.is_known:
                    connection.tell("joined", {"conversationId": conversation_id, "sequence": latest})
                    self.start(subscription)

    async def _catch_up(self, subscription: Subscription) -> None:
        is_done = await self._is_done(subscription)
        while not is_done:
            await asyncio.sleep(RETRY_SECONDS)
            is_done = await self._is_done(subscription)
        subscription.catching_up = None

    async def _is_done(self, subscription: Subscription) -> bool:
        """Whether the subscription is live or over; False when something that it needs is away."""
        try:
            async with self._places:
                while subscription.cursor < subscription.room.position:
                    if not await self._give_missed(subscription):
                        return True
                # Nothing may wait between the comparison and this: what comes next is pushed.
                subscription.is_live = True
        except Exception as error:
            note(error, "catching up")
            return False
        return True

    async def _give_missed(self, subscription: Subscription) -> bool:
        """Writes the next changes that the connection missed; false when it is over, or may see no more."""
        connection, room = subscription.connection, subscription.room
        units = self._units(room.tenant.tenant_id)
        changes = await feed.read_changes(
            units, self._keyring, {room.conversation_id: subscription.cursor}, limit=CHANGES_AT_ONCE
        )
        for shown in changes:
            if not await _has_room(connection):
                return False
            event, frame = frame_of(shown)
            if not subscription.give(shown.change.sequence, frame, event):
                return False
            metrics.REPLAYED.inc()
            if _is_farewell(shown, connection) and not await self._is_back(connection, room.conversation_id):
                self._hub.unsubscribe(subscription)
                return False
        return bool(changes)

    async def _is_back(self, connection: Connection, conversation_id: UUID) -> bool:
        """Whether somebody who left takes part again by now."""
        try:
            await feed.read_place(self._units(connection.caller.tenant_id), conversation_id, connection.caller.subject)
        except ConversationNotFound:
            return False
        return True


def _is_farewell(shown: ShownChange, connection: Connection) -> bool:
    change = shown.change
    return isinstance(change, MemberChange) and (
        change.kind is ChangeKind.MEMBER_LEFT and change.member_id == connection.caller.subject
    )


async def _has_room(connection: Connection) -> bool:
    """Waits until the client has read most of what was written; one that reads nothing for long is cut."""
    websocket = connection.socket.websocket
    if not websocket.writable.is_set():
        try:
            await asyncio.wait_for(websocket.writable.wait(), SLOW_READER_SECONDS)
        except TimeoutError:
            websocket.cut_slow_reader()
    return websocket.is_open
