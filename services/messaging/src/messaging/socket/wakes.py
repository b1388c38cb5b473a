"""What arrives from other processes over Valkey: where something happened. It is believed only so far as to go and read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from bloom_events.ids import TenantId
from messaging.socket import metrics
from messaging.socket.hub import Hub, Tenant
from messaging.socket.looking import Looker
from messaging.socket.pump import Pump


class Wakes:
    """Marks the conversation that a wake names as behind; for everything else it has the tenant looked at."""

    def __init__(self, hub: Hub, pump: Pump, looker: Looker) -> None:
        self._hub = hub
        self._pump = pump
        self._looker = looker

    def take(self, wake: dict[str, Any]) -> None:
        """Does what a wake asks for, if anybody here is concerned."""
        try:
            tenant = self._hub.tenants.get(TenantId(UUID(wake["t"])))
            if tenant is not None:
                self._take(tenant, wake)
        except (KeyError, TypeError, ValueError, AttributeError):
            metrics.WAKES.labels("unreadable").inc()

    def ask_all(self) -> None:
        """Wakes may have been missed."""
        for tenant in self._hub.all_tenants():
            self._looker.ask(tenant)

    def _take(self, tenant: Tenant, wake: dict[str, Any]) -> None:
        if "c" in wake:
            metrics.WAKES.labels("conversation").inc()
            conversation_id, sequence = UUID(wake["c"]), int(wake["s"])
            self._pump.mark(tenant, conversation_id, sequence)
            if any(self._is_new(tenant, conversation_id, UUID(each)) for each in wake.get("m", ())):
                self._looker.ask(tenant)
        else:
            metrics.WAKES.labels("person").inc()
            person = wake.get("u") or wake.get("p")
            if (person and UUID(person) in tenant.people) or ("x" in wake and UUID(wake["x"]) in tenant.sessions):
                self._looker.ask(tenant)

    def _is_new(self, tenant: Tenant, conversation_id: UUID, user_id: UUID) -> bool:
        """Whether somebody who takes part is connected here and does not follow the conversation."""
        return any(conversation_id not in each.subscriptions for each in tenant.people.get(user_id, ()))
