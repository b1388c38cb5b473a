"""The life of a connection: it is let in, told where it stands, listened to, and forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

from messaging.socket.alerts import Alerts
from messaging.socket.background import Background
from messaging.socket.connecting import Connecting
from messaging.socket.engine import EngineSocket
from messaging.socket.events import Answer, Events
from messaging.socket.failures import note
from messaging.socket.following import Following
from messaging.socket.hub import Connection, Hub
from messaging.socket.presence import Presence
from messaging.socket.server import Handlers

ALERT_SECONDS = 1.0
"""When the open alerts of somebody who has just connected cannot be read, they are asked for again after this time."""


class People:
    """What the Socket.IO server calls."""

    def __init__(
        self, hub: Hub, *, connecting: Connecting, following: Following, alerts: Alerts, presence: Presence, events: Events
    ) -> None:
        self._hub = hub
        self._connecting = connecting
        self._following = following
        self._alerts = alerts
        self._presence = presence
        self._events = events
        self._background = Background()

    def handlers(self) -> Handlers:
        """The calls, by what clients do."""
        return Handlers(connect=self._connect, connected=self._connected, event=self._event, disconnect=self._disconnect)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._background.close()

    async def _connect(self, sid: str, socket: EngineSocket, auth: Any) -> None:
        await self._connecting.connect(sid, socket, auth)

    def _connected(self, sid: str) -> None:
        """The client knows that it is connected: from here on it may be told things."""
        connection = self._hub.find(sid)
        if connection is None:
            return
        connection.is_known = True
        places = [{"conversationId": room, "sequence": each.cursor} for room, each in connection.subscriptions.items()]
        connection.tell("ready", {"conversations": places})
        for subscription in list(connection.subscriptions.values()):
            self._following.start(subscription)
        self._presence.arrived(connection)
        self._background.start(self._show_alerts(connection))

    async def _event(self, sid: str, event: str, data: Any) -> Answer:
        return await self._events.take(sid, event, data)

    async def _disconnect(self, sid: str) -> None:
        connection = self._hub.find(sid)
        if connection is not None:
            conversations = list(connection.subscriptions)
            self._hub.remove(connection)
            self._presence.left(connection, conversations)

    async def _show_alerts(self, connection: Connection) -> None:
        while self._hub.find(connection.sid) is connection:
            try:
                await self._alerts.show_open(connection)
            except Exception as error:
                note(error, "alerts")
                await asyncio.sleep(ALERT_SECONDS)
            else:
                return
