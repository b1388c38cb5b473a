"""When an alert was pushed to somebody's open connections, and when it was seen there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from service_kit.database import Connection

_PUSHED = "update alert_pushes set pushed_at = $3 where alert_id = $1 and user_id = $2 and pushed_at is null"
_SEEN = "update alert_pushes set seen_at = $3 where alert_id = $1 and user_id = $2 and seen_at is null"
_IS_TOLD = "select exists (select from alert_pushes where alert_id = $1 and user_id = $2)"


class AlertPushRepository:
    """Reads and writes within one transaction; the first time counts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def is_told(self, alert_id: UUID, user_id: UUID) -> bool:
        """Whether the person is told of the alert."""
        return bool(await self._connection.fetchval(_IS_TOLD, alert_id, user_id))

    async def note_pushed(self, alert_id: UUID, user_id: UUID, now: datetime) -> bool:
        """Notes that the alert was pushed; false when it was before."""
        return await self._connection.execute(_PUSHED, alert_id, user_id, now) == "UPDATE 1"

    async def note_seen(self, alert_id: UUID, user_id: UUID, now: datetime) -> bool:
        """Notes that the alert was seen; false when it was before."""
        return await self._connection.execute(_SEEN, alert_id, user_id, now) == "UPDATE 1"
