"""Alerts at the open connections of the people who are called, and the fact that they were pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from messaging.domain.feed import AlertPush
from messaging.schemas.sockets import AlertResponse
from messaging.socket.background import Background
from messaging.socket.failures import is_away, note
from messaging.socket.hub import Connection, Hub, Tenant
from messaging.socket.pump import Units
from messaging.socket.server import event_frame
from messaging.use_cases import feed
from service_kit.tracing import span
from service_kit.unit_of_work import Clock

FLUSH_SECONDS = 10.0
"""How long a push may lie in this process before it counts as not written."""

PAUSE_SECONDS = 0.005
RETRY_SECONDS = 1.0
CLOSING_SECONDS = 2.0


class Alerts:
    """Each state of an alert is written once to each connection; that it was written is noted behind it."""

    def __init__(self, hub: Hub, units: Units, clock: Clock) -> None:
        self._hub = hub
        self._units = units
        self._clock = clock
        self._noting = Background()

    async def show(self, tenant: Tenant, told: Sequence[tuple[UUID, UUID]]) -> None:
        """People are told of alerts that changed."""
        alert_ids, user_ids = {alert_id for alert_id, _ in told}, {user_id for _, user_id in told}
        for push in await feed.read_alerts(self._units(tenant.tenant_id), list(user_ids), list(alert_ids)):
            self._write(tenant, push, tenant.people.get(push.user_id, ()))

    async def show_open(self, connection: Connection) -> None:
        """A new connection is told of all alerts that nobody has resolved."""
        tenant = self._hub.tenants.get(connection.caller.tenant_id)
        if tenant is not None:
            for push in await feed.read_open_alerts(self._units(tenant.tenant_id), [connection.caller.subject]):
                self._write(tenant, push, [connection])

    async def close(self) -> None:
        """Waits a moment for what was written to be noted."""
        await self._noting.close(within_seconds=CLOSING_SECONDS)

    def _write(self, tenant: Tenant, push: AlertPush, connections: Sequence[Connection] | set[Connection]) -> None:
        frame = event_frame("alert", AlertResponse.of(push).model_dump_json(by_alias=True).encode())
        written = []
        for connection in list(connections):
            is_news = connection.is_known and connection.alerts.get(push.alert_id, 0) < push.revision
            if is_news and connection.offer("alert", frame):
                connection.alerts[push.alert_id] = push.revision
                written.append(connection)
        if written and not push.is_pushed:
            self._noting.start(self._note(tenant, push, written))

    async def _note(self, tenant: Tenant, push: AlertPush, written: Sequence[Connection]) -> None:
        if not await _has_left(written):
            return
        now = self._clock()
        # The next look tells nothing of this alert unless it changes, so the fact is not given up on.
        while True:
            try:
                with span("push alert", traceparent=push.origin.traceparent if push.origin else None):
                    units = self._units(tenant.tenant_id, push.origin)
                    await feed.note_pushed(units, push.alert_id, push.user_id, now=now)
            except Exception as error:
                note(error, "alert pushed")
                if not is_away(error):
                    return
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return


async def _has_left(connections: Sequence[Connection]) -> bool:
    """Whether the kernel has taken all that was written to one of them."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + FLUSH_SECONDS
    while loop.time() < deadline:
        # The transport writes in the next turn of the loop.
        await asyncio.sleep(PAUSE_SECONDS)
        for connection in connections:
            websocket = connection.socket.websocket
            if websocket.is_open and websocket.unsent_bytes == 0:
                return True
    return False
