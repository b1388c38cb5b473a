"""Who is asking: within auth an access token counts only while its session does, so that signing out takes effect at once."""

from datetime import datetime

from auth.repository.sessions import SessionRepository
from bloom_events.ids import SessionId, UserId
from service_kit.errors import Unauthorized
from service_kit.tokens import Caller
from service_kit.unit_of_work import Transaction


async def require_live_session(transaction: Transaction, caller: Caller, *, now: datetime) -> None:
    sessions = SessionRepository(transaction.connection, transaction.tenant_id)
    if not await sessions.is_live(SessionId(caller.session_id), UserId(caller.subject), now=now):
        raise Unauthorized
