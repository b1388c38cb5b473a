"""The look into the database, several times a second and whenever a wake asks for it: what wakes may lose, a look finds.

A look begins where the one before could see nothing yet (the oldest transaction that was still running), so that what commits
late is found, too; what it finds twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import UUID

from messaging.domain.feed import Found
from messaging.socket import metrics
from messaging.socket.background import Background
from messaging.socket.failures import note
from messaging.socket.hub import Hub, Tenant
from messaging.socket.pump import Pump, Units
from messaging.use_cases import feed

TENANTS_AT_ONCE = 4


class Admits(Protocol):
    """Lets connections of a person follow a conversation in which that person takes part."""

    async def admit(self, tenant: Tenant, conversation_id: UUID, user_id: UUID) -> None: ...


class ShowsAlerts(Protocol):
    """Tells people of alerts."""

    async def show(self, tenant: Tenant, told: list[tuple[UUID, UUID]]) -> None: ...


class Looker:
    """Looks for one tenant at a time, and hands on what it finds."""

    def __init__(
        self, hub: Hub, units: Units, pump: Pump, *, admitting: Admits, alerts: ShowsAlerts, every_seconds: float
    ) -> None:
        self._hub = hub
        self._units = units
        self._pump = pump
        self._admitting = admitting
        self._alerts = alerts
        self._every_seconds = every_seconds
        self._places = asyncio.Semaphore(TENANTS_AT_ONCE)
        self._background = Background()
        self._looked_at = asyncio.get_running_loop().time()

    async def snapshot(self, tenant: Tenant) -> int:
        """The place before all that commits from now on; give it to `cover` once what is read now is in the hub."""
        found = await feed.look_since(self._units(tenant.tenant_id), None)
        return found.snapshot

    def cover(self, tenant: Tenant, snapshot: int) -> None:
        """The next look goes back to this place: looks meanwhile had nobody to tell of what they found."""
        tenant.since = snapshot if tenant.since is None else min(tenant.since, snapshot)

    async def run(self) -> None:
        """Looks for all tenants again and again until it is cancelled."""
        while True:
            for tenant in self._hub.all_tenants():
                self.ask(tenant)
            if not any(tenant.is_looking for tenant in self._hub.all_tenants()):
                self._looked_at = asyncio.get_running_loop().time()
            await asyncio.sleep(self._every_seconds)

    async def is_late(self) -> str | None:
        """A readiness check: whether the looks of all tenants get through."""
        late = asyncio.get_running_loop().time() - self._looked_at
        return f"no look got through for {late:.0f} s" if late > 10 * self._every_seconds + 5 else None

    def ask(self, tenant: Tenant) -> None:
        """Looks at once; when a look is under way, once more after it."""
        if tenant.is_looking:
            tenant.must_look_again = True
        elif tenant.since is not None:
            tenant.is_looking = True
            self._background.start(self._look(tenant, tenant.since))

    async def _look(self, tenant: Tenant, since: int) -> None:
        try:
            async with self._places:
                with metrics.LOOK_SECONDS.time():
                    tenant.must_look_again = False
                    found = await feed.look_since(self._units(tenant.tenant_id), since)
            # Unless it was set back meanwhile.
            if tenant.since == since:
                tenant.since = found.snapshot
            self._hand_on(tenant, since, found)
            self._looked_at = asyncio.get_running_loop().time()
        except Exception as error:  # the next look begins at the same place
            note(error, "look")
        finally:
            tenant.is_looking = False
        if tenant.must_look_again and tenant.people:
            self.ask(tenant)

    def _hand_on(self, tenant: Tenant, since: int, found: Found) -> None:
        for conversation_id, sequence in found.conversations.items():
            if self._pump.mark(tenant, conversation_id, sequence):
                metrics.FOUND_BY_LOOK.labels("changes").inc()
        for session_id in found.sessions:
            for connection in list(tenant.sessions.get(session_id, ())):
                connection.end("session-ended")
        for user_id in found.suspended:
            for connection in list(tenant.people.get(user_id, ())):
                connection.end("account-suspended")
        for conversation_id, user_id in found.members:
            if user_id in tenant.people:
                self._background.start(_or_again(tenant, since, self._admitting.admit(tenant, conversation_id, user_id)))
        told = [(alert_id, user_id) for alert_id, user_id in found.alerts if user_id in tenant.people]
        if told:
            self._background.start(_or_again(tenant, since, self._alerts.show(tenant, told)))

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._background.close()


async def _or_again(tenant: Tenant, since: int, work: Coroutine[Any, Any, None]) -> None:
    """Does the work; when it fails, the next look finds once more what it was about."""
    try:
        await work
    except Exception as error:
        tenant.since = min(tenant.since or since, since)
        note(error, "look")
