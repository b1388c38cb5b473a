"""From the database to the connections: changes are read in their gapless order upon a wake, and by a look when a wake is lost.

A wake only says where to read. What is pushed has been committed, and each conversation is read from the place that was pushed
last, so that nothing is left out and nothing comes twice, whatever becomes of wakes, of Valkey or of the process that wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bloom_events.ids import TenantId, new_id
from messaging.clients.keys.keyring import Keyring
from messaging.domain.alerts import Origin
from messaging.domain.changes import ChangeKind, MemberChange
from messaging.schemas.changes import present_change
from messaging.socket import metrics
from messaging.socket.failures import note
from messaging.socket.hub import Hub, Room, Tenant
from messaging.socket.server import event_frame
from messaging.use_cases import feed
from messaging.use_cases.reading import ShownChange
from service_kit.database import Pool
from service_kit.unit_of_work import Clock, Context, UnitOfWork

CHANGES_AT_ONCE = 100
"""How many changes of one conversation are read at a time."""

RETRY_SECONDS = 0.25
"""How long a conversation whose changes cannot be read now has to wait."""

_EVENTS: Mapping[str, str] = {
    ChangeKind.MESSAGE_SENT: "new-message",
    ChangeKind.MESSAGE_EDITED: "message-edited",
    ChangeKind.MESSAGE_DELETED: "message-deleted",
    ChangeKind.RECEIPT: "receipt",
    ChangeKind.MEMBER_JOINED: "member",
    ChangeKind.MEMBER_LEFT: "member",
    ChangeKind.CLOSED: "closed",
}


class Units(Protocol):
    """Gives units of work of any tenant; what is published in one belongs to its origin, if it has one."""

    def __call__(self, tenant_id: TenantId, origin: Origin | None = None) -> UnitOfWork: ...


def units_of(pool: Pool, *, source: str, clock: Clock, acquire_seconds: float, publishes: bool) -> Units:
    """Units of work of any tenant on one pool."""

    def unit_of_work_for(tenant_id: TenantId, origin: Origin | None = None) -> UnitOfWork:
        correlation_id, causation_id = (origin.correlation_id, origin.causation_id) if origin else (new_id(), None)
        context = Context(tenant_id, correlation_id, causation_id)
        return UnitOfWork(pool, source=source, context=context, clock=clock, publishes=publishes, acquire_seconds=acquire_seconds)

    return unit_of_work_for


def frame_of(shown: ShownChange) -> tuple[str, bytes]:
    """The event of a change and its frame, encoded once for everybody who gets it."""
    readable = shown.readable
    told = present_change(
        shown.change, body=readable.body if readable else None, attachments=readable.attachments if readable else ()
    )
    event = _EVENTS[told.kind]
    return event, event_frame(event, told.model_dump_json(by_alias=True).encode())


class Pump:
    """Reads what is behind, for all rooms of a tenant at once and one tenant after the other's own pace, and pushes it."""

    def __init__(self, hub: Hub, units: Units, keyring: Keyring, clock: Clock) -> None:
        self._hub = hub
        self._units = units
        self._keyring = keyring
        self._clock = clock

    def mark(self, tenant: Tenant, conversation_id: UUID, sequence: int) -> bool:
        """The conversation has changes up to this place; false when that is known, or nobody here follows it."""
        room = tenant.rooms.get(conversation_id)
        if room is None or room.position >= sequence or conversation_id in tenant.behind:
            return False
        self._mark(tenant, conversation_id)
        return True

    def _mark(self, tenant: Tenant, conversation_id: UUID) -> None:
        tenant.behind.add(conversation_id)
        if tenant.reading is None:
            tenant.reading = asyncio.create_task(self._read_all(tenant))

    async def _read_all(self, tenant: Tenant) -> None:
        try:
            while tenant.behind:
                wanted = {each: tenant.rooms[each].position for each in tenant.behind if each in tenant.rooms}
                tenant.behind.clear()
                await self._read(tenant, wanted)
        finally:
            tenant.reading = None

    async def _read(self, tenant: Tenant, wanted: Mapping[UUID, int]) -> None:
        try:
            changes = await feed.read_changes(self._units(tenant.tenant_id), self._keyring, wanted, limit=CHANGES_AT_ONCE)
        except Exception as error:  # whatever it is, the changes stay behind and are read again
            await self._try_apart(tenant, wanted, error)
            return
        counts: dict[UUID, int] = {}
        for shown in changes:
            room = tenant.rooms.get(shown.change.conversation_id)
            counts[shown.change.conversation_id] = counts.get(shown.change.conversation_id, 0) + 1
            if room is not None and shown.change.sequence > room.position:
                self._push(room, shown)
        for conversation_id, count in counts.items():
            if count == CHANGES_AT_ONCE and conversation_id in tenant.rooms:
                tenant.behind.add(conversation_id)

    async def _try_apart(self, tenant: Tenant, wanted: Mapping[UUID, int], error: Exception) -> None:
        """One conversation whose key cannot be had must not hold up the others."""
        if len(wanted) > 1:
            for conversation_id, position in wanted.items():
                await self._read(tenant, {conversation_id: position})
            return
        note(error, "feed")
        for conversation_id in wanted:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._mark_again, tenant, conversation_id)

    def _mark_again(self, tenant: Tenant, conversation_id: UUID) -> None:
        if conversation_id in tenant.rooms:
            self._mark(tenant, conversation_id)

    def _push(self, room: Room, shown: ShownChange) -> None:
        change = shown.change
        event, frame = frame_of(shown)
        room.push(change.sequence, frame, event)
        metrics.PUSH_SECONDS.observe(max(0.0, _seconds(self._clock(), change.at)))
        if isinstance(change, MemberChange) and change.kind is ChangeKind.MEMBER_LEFT:
            # The last that they get is that they left.
            for subscription in list(room.subscriptions.values()):
                if subscription.connection.caller.subject == change.member_id:
                    self._hub.unsubscribe(subscription)


def _seconds(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds()
