"""Signing keys: the whole platform's, so without a tenant."""

from collections.abc import Iterable

from auth.domain.signing_keys import KeyRing, SigningKey
from service_kit.database import Connection

# Any number that nothing else in this database locks on.
ROTATION_LOCK = 0x6B657973


class SigningKeyRepository:
    """Private parts go in and out sealed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hold_rotation(self) -> None:
        """Let one process at a time look at the keys and add to them, until the transaction ends."""
        await self._connection.execute("select pg_advisory_xact_lock($1)", ROTATION_LOCK)

    async def get_ring(self) -> KeyRing:
        rows = await self._connection.fetch("select kid, public_key, sealed_private_key, activates_at from signing_keys")
        return KeyRing.of(SigningKey(**dict(row)) for row in rows)

    async def add(self, key: SigningKey) -> None:
        await self._connection.execute(
            "insert into signing_keys (kid, public_key, sealed_private_key, activates_at) values ($1, $2, $3, $4)",
            key.kid, key.public_key, key.sealed_private_key, key.activates_at,
        )  # fmt: skip

    async def remove(self, keys: Iterable[SigningKey]) -> None:
        await self._connection.execute("delete from signing_keys where kid = any($1)", [key.kid for key in keys])
