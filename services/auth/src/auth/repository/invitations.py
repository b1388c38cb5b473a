"""Invitations of the transaction's tenant."""

from auth.domain.invitations import Invitation
from auth.domain.outcomes import InvitationNotUsable
from auth.domain.users import EmailAddress
from bloom_events.ids import InvitationId, TenantId, UserId
from service_kit.database import Connection


class InvitationRepository:
    """The token itself is never stored: it can be made again from the id and a key."""

    def __init__(self, connection: Connection, tenant_id: TenantId) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def add(self, invitation: Invitation) -> None:
        await self._connection.execute(
            """insert into invitations (tenant_id, id, email, invited_by, created_at, expires_at)
               values ($1, $2, $3, $4, $5, $6)""",
            self._tenant_id, invitation.id, invitation.email, invitation.invited_by, invitation.created_at, invitation.expires_at,
        )  # fmt: skip

    async def get_for_change(self, invitation_id: InvitationId) -> Invitation:
        row = await self._connection.fetchrow(
            """select id, email, invited_by, created_at, expires_at, accepted_at, accepted_by
               from invitations where id = $1 for update""",
            invitation_id,
        )
        if row is None:
            raise InvitationNotUsable
        return Invitation(
            id=InvitationId(row["id"]),
            email=EmailAddress(row["email"]),
            invited_by=UserId(row["invited_by"]),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            accepted_at=row["accepted_at"],
            accepted_by=UserId(row["accepted_by"]) if row["accepted_by"] else None,
        )

    async def save(self, invitation: Invitation) -> None:
        await self._connection.execute(
            "update invitations set accepted_at = $2, accepted_by = $3 where id = $1",
            invitation.id, invitation.accepted_at, invitation.accepted_by,
        )  # fmt: skip
