"""Which keeper of key-encryption keys an address of the settings means."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from messaging.clients.keys.file_keys import FileKeys
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.port import KeyEncryption

SCHEMES = ("file", "aws-kms", "google-kms")


def open_keeper(address: str) -> KeyEncryption:
    """The keeper behind `file:/path`, `aws-kms:<key id, ARN or alias>` or `google-kms:projects/../cryptoKeys/..`.

    Only the SDK that is needed is imported: Google's takes a second. Raises ValueError for any other address.
    """
    scheme, _, name = address.partition(":")
    if scheme == "file" and name:
        return FileKeys.read(Path(name.removeprefix("//")))
    if scheme == "aws-kms" and name:
        from messaging.clients.keys.aws_keys import open_aws_keys

        return open_aws_keys(name)
    if scheme == "google-kms" and name:
        from messaging.clients.keys.google_keys import open_google_keys

        return open_google_keys(name)
    raise ValueError(f"key-encryption keys are named by one of {', '.join(f'{each}:..' for each in SCHEMES)}")


class KeyPolicy(Protocol):
    """Where keys are kept and for how long they are at hand; the settings are one."""

    @property
    def key_encryption(self) -> str: ...
    @property
    def former_key_encryption(self) -> str: ...
    @property
    def data_key_cache_seconds(self) -> float: ...
    @property
    def data_key_cache_conversations(self) -> int: ...


def open_keyring(policy: KeyPolicy) -> Keyring:
    """The keyring of a process; what wrapped keys in former times, separated by commas, only unwraps."""
    former = [open_keeper(address.strip()) for address in policy.former_key_encryption.split(",") if address.strip()]
    return Keyring(
        open_keeper(policy.key_encryption),
        former,
        lifetime_seconds=policy.data_key_cache_seconds,
        most=policy.data_key_cache_conversations,
    )
