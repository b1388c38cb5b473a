"""Who is connected here and what each connection follows, looked up by tenant, conversation, person and session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from bloom_events.ids import TenantId
from messaging.socket import metrics
from messaging.socket.engine import EngineSocket
from messaging.socket.server import event_frame
from messaging.socket.websocket import text_frame
from service_kit.tokens import Caller

_DISCONNECT = text_frame(b"41")


@dataclass(slots=True, eq=False)
class Room:
    """A conversation that somebody here follows. Everything up to `position` was written to the live subscriptions."""

    tenant: Tenant
    conversation_id: UUID
    position: int
    subscriptions: dict[Connection, Subscription] = field(default_factory=dict)

    def push(self, sequence: int, frame: bytes, event: str) -> None:
        """Writes a change to everybody who is live and has not got it."""
        self.position = sequence
        for subscription in list(self.subscriptions.values()):
            if subscription.is_live and subscription.cursor < sequence:
                subscription.give(sequence, frame, event)


@dataclass(slots=True, eq=False)
class Subscription:
    """One connection in one room: it got everything up to `cursor`. It is live unless it still catches up."""

    connection: Connection
    room: Room
    cursor: int
    is_live: bool = False
    catching_up: asyncio.Task[None] | None = None

    def give(self, sequence: int, frame: bytes, event: str) -> bool:
        """Writes the next change; false when the connection is over."""
        self.cursor = sequence
        return self.connection.offer(event, frame)

    def stop(self) -> None:
        """Gives up catching up."""
        self.is_live = False
        if self.catching_up is not None and self.catching_up is not asyncio.current_task():
            self.catching_up.cancel()
        self.catching_up = None


@dataclass(slots=True, eq=False)
class Connection:
    """One open connection of a person; `alerts` holds the latest revision of each alert that was written to it."""

    sid: str
    socket: EngineSocket
    caller: Caller
    is_known: bool = False
    subscriptions: dict[UUID, Subscription] = field(default_factory=dict)
    alerts: dict[UUID, int] = field(default_factory=dict)
    typed_at: dict[UUID, float] = field(default_factory=dict)
    expiry: asyncio.TimerHandle | None = None

    @property
    def person(self) -> tuple[TenantId, UUID]:
        """The account behind it, in its tenant."""
        return self.caller.tenant_id, self.caller.subject

    def offer(self, event: str, frame: bytes) -> bool:
        """Writes a frame without waiting; false when the connection is over."""
        metrics.PUSHES.labels(event).inc()
        return self.socket.websocket.offer(frame)

    def tell(self, event: str, payload: object) -> bool:
        """Writes an event to this connection alone."""
        return self.offer(event, event_frame(event, orjson.dumps(payload, default=str)))

    def end(self, reason: str) -> None:
        """Tells the client why and ends the connection."""
        if self.socket.websocket.is_open:
            metrics.CUT.labels(reason).inc()
            self.tell("ended", {"reason": reason})
            self.offer("disconnect", _DISCONNECT)
            self.socket.websocket.hang_up()


@dataclass(slots=True, eq=False)
class Tenant:
    """What is connected of one tenant; `since` is the snapshot from which the next look goes on, `behind` what is to be read."""

    tenant_id: TenantId
    rooms: dict[UUID, Room] = field(default_factory=dict)
    people: dict[UUID, set[Connection]] = field(default_factory=dict)
    sessions: dict[UUID, set[Connection]] = field(default_factory=dict)
    since: int | None = None
    behind: set[UUID] = field(default_factory=set)
    reading: asyncio.Task[None] | None = None
    is_looking: bool = False
    must_look_again: bool = False


class Hub:
    """The connections of this process."""

    def __init__(self) -> None:
        self.tenants: dict[TenantId, Tenant] = {}
        self.connections: dict[str, Connection] = {}

    def find(self, sid: str) -> Connection | None:
        """The connection, unless it is over."""
        return self.connections.get(sid)

    def connections_of(self, tenant_id: TenantId, user_id: UUID) -> frozenset[Connection]:
        """The open connections of a person here."""
        tenant = self.tenants.get(tenant_id)
        return frozenset(tenant.people.get(user_id, ())) if tenant else frozenset()

    def add(self, connection: Connection) -> Tenant:
        """Whatever happens to this person or session is theirs from now on."""
        caller = connection.caller
        tenant = self.tenants.setdefault(caller.tenant_id, Tenant(caller.tenant_id))
        tenant.people.setdefault(caller.subject, set()).add(connection)
        tenant.sessions.setdefault(caller.session_id, set()).add(connection)
        self.connections[connection.sid] = connection
        return tenant

    def remove(self, connection: Connection) -> None:
        """The connection is over."""
        self.connections.pop(connection.sid, None)
        if connection.expiry is not None:
            connection.expiry.cancel()
        for subscription in list(connection.subscriptions.values()):
            self.unsubscribe(subscription)
        tenant = self.tenants.get(connection.caller.tenant_id)
        if tenant is None:
            return
        _discard(tenant.people, connection.caller.subject, connection)
        _discard(tenant.sessions, connection.caller.session_id, connection)
        if not tenant.people:
            del self.tenants[tenant.tenant_id]

    def subscribe(self, connection: Connection, conversation_id: UUID, *, last_sequence: int, cursor: int) -> Subscription:
        """The connection follows a conversation from behind `cursor`; what is there up to now is `last_sequence`.

        A subscription that is there already begins again at the new place.
        """
        tenant = self.tenants[connection.caller.tenant_id]
        room = tenant.rooms.get(conversation_id)
        if room is None:
            room = tenant.rooms[conversation_id] = Room(tenant, conversation_id, last_sequence)
        former = connection.subscriptions.get(conversation_id)
        if former is not None:
            former.stop()
        subscription = Subscription(connection, room, cursor)
        connection.subscriptions[conversation_id] = room.subscriptions[connection] = subscription
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """The connection no longer follows the conversation."""
        subscription.stop()
        room = subscription.room
        subscription.connection.subscriptions.pop(room.conversation_id, None)
        room.subscriptions.pop(subscription.connection, None)
        if not room.subscriptions:
            room.tenant.rooms.pop(room.conversation_id, None)
            room.tenant.behind.discard(room.conversation_id)

    def all_tenants(self) -> Iterator[Tenant]:
        """Every tenant of which somebody is connected."""
        yield from list(self.tenants.values())


def _discard(index: dict[UUID, set[Connection]], key: UUID, connection: Connection) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(connection)
        if not members:
            del index[key]
