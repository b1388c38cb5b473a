"""Keeping the signing keys: made before they are needed, kept until their last token is over."""

from dataclasses import dataclass
from datetime import datetime

from auth.clients.access_tokens import AccessTokenIssuer, make_signing_key
from auth.clients.master_key import MasterKey
from auth.domain.signing_keys import KeyPolicy, KeyRing, SigningKey
from auth.repository.signing_keys import SigningKeyRepository
from service_kit.database import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUpkeep:
    """The keys as they are now, and the one that was made just now, if any."""

    ring: KeyRing
    made: SigningKey | None


async def keep_signing_keys(
    database: Pool, master_key: MasterKey, *, policy: KeyPolicy, now: datetime, is_asked: bool = False
) -> KeyUpkeep:
    """Make the next key when it is due or asked for, drop those that are over; any number of processes may call it at once."""
    async with database.acquire() as connection, connection.transaction():
        keys = SigningKeyRepository(connection)
        await keys.hold_rotation()
        ring = await keys.get_ring()
        activates_at = ring.next_activation(policy, now, is_asked=is_asked)
        made = make_signing_key(master_key, activates_at=activates_at) if activates_at else None
        if made is not None:
            await keys.add(made)
        await keys.remove(ring.outlived(policy, now))
        return KeyUpkeep(ring=await keys.get_ring(), made=made)


async def renew_signing_keys(
    database: Pool, issuer: AccessTokenIssuer, master_key: MasterKey, *, policy: KeyPolicy, now: datetime
) -> SigningKey | None:
    """Look after the keys and let the issuer sign with what there is now; gives the key that was made, if any."""
    upkeep = await keep_signing_keys(database, master_key, policy=policy, now=now)
    issuer.use_ring(upkeep.ring)
    return upkeep.made
