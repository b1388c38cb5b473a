"""What a keeper of key-encryption keys has to be able to do: a file, AWS KMS and Google KMS do."""

from __future__ import annotations

from typing import ClassVar, Protocol

from messaging.domain.keys import KeyPlace, WrappedKey


class KeyRefused(Exception):  # noqa: N818  # named for what happened
    """The keeper does not unwrap this: the key is unknown or gone, or the wrapped key belongs elsewhere. Waiting is no help."""


class KeyEncryption(Protocol):
    """Wraps and unwraps data keys of 32 bytes, each bound to its place.

    Raises ServiceUnavailable while the keeper cannot be reached, KeyRefused for what it will never unwrap.
    """

    scheme: ClassVar[str]
    """How the ids of its keys begin, such as `file`."""

    async def current_id(self) -> str:
        """The id of the key that wraps new data keys, with its scheme."""
        ...

    async def wrap(self, secret: bytes, place: KeyPlace) -> WrappedKey:
        """The data key under the current key."""
        ...

    async def unwrap(self, wrapped: WrappedKey, place: KeyPlace) -> bytes:
        """The data key, whichever of the keeper's keys wrapped it."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


def own_name(kek_id: str, scheme: str) -> str:
    """The keeper's own name of a key, without the scheme; raises KeyRefused for an id of another scheme."""
    found, _, name = kek_id.partition(":")
    if found != scheme:
        raise KeyRefused("wrapped by another keeper")
    return name
