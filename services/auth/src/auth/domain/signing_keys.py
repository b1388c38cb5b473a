"""Signing keys over time: the next one is published before it signs, the last one stays until its tokens are over."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicy:
    """A key signs for `lifetime`, is published `publish_ahead` before that, and verifies `token_lifetime` longer."""

    lifetime: timedelta
    publish_ahead: timedelta
    token_lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An Ed25519 key: 32 public bytes and the private part under the master key."""

    kid: str
    public_key: bytes
    sealed_private_key: bytes
    activates_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys that are still of use, the earliest first."""

    keys: tuple[SigningKey, ...]

    @classmethod
    def of(cls, keys: Iterable[SigningKey]) -> "KeyRing":
        return cls(tuple(sorted(keys, key=lambda key: (key.activates_at, key.kid))))

    def signing_key(self, now: datetime) -> SigningKey | None:
        """The newest key whose time has come."""
        active = [key for key in self.keys if key.activates_at <= now]
        return active[-1] if active else None

    def outlived(self, policy: KeyPolicy, now: datetime) -> tuple[SigningKey, ...]:
        """Keys whose last token is over: their successor has signed for longer than a token lives."""
        return tuple(key for key, successor in pairwise(self.keys) if successor.activates_at + policy.token_lifetime <= now)

    def next_activation(self, policy: KeyPolicy, now: datetime, *, is_asked: bool = False) -> datetime | None:
        """When a key that is to be made now should begin to sign; None while none is due.

        The very first key signs at once. Later ones are due `publish_ahead` before the signing key's lifetime ends, or when
        somebody asks; never while one already waits for its turn.
        """
        signing = self.signing_key(now)
        if signing is None:
            return None if self.keys else now
        if self.keys[-1].activates_at > now:
            return None
        ends_at = signing.activates_at + policy.lifetime
        if is_asked:
            return now + policy.publish_ahead
        return max(ends_at, now + policy.publish_ahead) if now >= ends_at - policy.publish_ahead else None
