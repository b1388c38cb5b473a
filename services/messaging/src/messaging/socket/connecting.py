"""Who may connect, and how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from messaging.domain.feed import Standing
from messaging.schemas.sockets import ConnectAuth
from messaging.socket import metrics
from messaging.socket.engine import EngineSocket
from messaging.socket.failures import is_away, note
from messaging.socket.hub import Connection, Hub, Tenant
from messaging.socket.looking import Looker
from messaging.socket.pump import Units
from messaging.socket.server import Refused
from messaging.use_cases import feed
from service_kit.errors import ServiceUnavailable, Unauthorized
from service_kit.tokens import Caller, TokenVerifier

MOST_FOLLOWED = 1_000
"""Of a person's conversations the youngest so many are followed at once; others can be joined."""


class Connecting:
    """Lets people in by their token, and lets them go when it is over."""

    def __init__(self, hub: Hub, units: Units, tokens: TokenVerifier, looker: Looker, *, most_per_person: int) -> None:
        self._hub = hub
        self._units = units
        self._tokens = tokens
        self._looker = looker
        self._most_per_person = most_per_person

    async def connect(self, sid: str, socket: EngineSocket, auth: Any) -> Connection:
        """The connection of a person with a valid token, following all conversations in which they take part."""
        given = _given(auth)
        caller, expires_at = await self._accept(given.token)
        if len(self._hub.connections_of(caller.tenant_id, caller.subject)) >= self._most_per_person:
            raise Refused("too-many-connections")
        connection = Connection(sid, socket, caller)
        tenant = self._hub.add(connection)
        try:
            await self._follow_all(connection, tenant, given.after)
        except BaseException as error:
            self._hub.remove(connection)
            if isinstance(error, Exception) and is_away(error):
                note(error, "connect")
                raise Refused("service-unavailable") from error
            raise
        self.expire(connection, expires_at)
        return connection

    async def renew(self, connection: Connection, token: str) -> None:
        """A younger token of the same session keeps the connection open; raises Unauthorized for any other."""
        caller, expires_at = await self._tokens.accept(token)
        if caller != connection.caller:
            raise Unauthorized
        self.expire(connection, expires_at)

    def expire(self, connection: Connection, expires_at: float) -> None:
        """The connection ends when its token does."""
        if connection.expiry is not None:
            connection.expiry.cancel()
        seconds = max(0.0, expires_at - time.time())
        connection.expiry = asyncio.get_running_loop().call_later(seconds, connection.end, "token-expired")

    async def _accept(self, token: str) -> tuple[Caller, float]:
        try:
            return await self._tokens.accept(token)
        except Unauthorized as error:
            raise Refused("unauthorized") from error
        except ServiceUnavailable as error:
            raise Refused("service-unavailable") from error

    async def _follow_all(self, connection: Connection, tenant: Tenant, after: Mapping[UUID, int]) -> None:
        snapshot = await self._looker.snapshot(tenant)
        caller = connection.caller
        standing = await feed.read_standing(self._units(caller.tenant_id), caller.subject, caller.session_id, most=MOST_FOLLOWED)
        _must_be_welcome(standing)
        for conversation_id, latest in standing.conversations.items():
            cursor = min(after.get(conversation_id, latest), latest)
            if conversation_id in after:
                metrics.RESUMES.labels("behind" if cursor < latest else "current").inc()
            if conversation_id not in connection.subscriptions:
                self._hub.subscribe(connection, conversation_id, last_sequence=latest, cursor=cursor)
        self._looker.cover(tenant, snapshot)


def _given(auth: Any) -> ConnectAuth:
    try:
        return ConnectAuth.model_validate(auth)
    except ValidationError as error:
        raise Refused("unauthorized" if not isinstance(auth, dict) or "token" not in auth else "invalid-request") from error


def _must_be_welcome(standing: Standing) -> None:
    if standing.is_ended or standing.is_suspended:
        raise Refused("unauthorized")
