"""Key-encryption keys in AWS KMS: a data key is encrypted there, with its place as the encryption context.

Credentials, region and endpoint come from the environment as the AWS SDK reads them. The configured key may be an alias: what is
stored is the key that it meant at the time.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from messaging.clients.keys.port import KeyRefused, own_name
from messaging.domain.keys import KeyPlace, WrappedKey
from service_kit.errors import ServiceUnavailable

# What KMS answers for good: the key or the ciphertext will not be another one tomorrow.
_FOR_GOOD = frozenset(
    {
        "InvalidCiphertextException",
        "IncorrectKeyException",
        "NotFoundException",
        "AccessDeniedException",
        "KMSInvalidStateException",
    }
)
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1.0, 2.0, 2


class AwsKeys:
    """Wraps under one KMS key; unwraps what any key wrapped that the caller may use. `client` is boto3's for KMS."""

    scheme: ClassVar[str] = "aws-kms"

    def __init__(self, client: Any, key_id: str) -> None:  # boto3 makes its classes when it runs
        self._client = client
        self._key_id = key_id

    async def current_id(self) -> str:
        described = await self._ask("describe_key", KeyId=self._key_id)
        return f"{self.scheme}:{described['KeyMetadata']['Arn']}"

    async def wrap(self, secret: bytes, place: KeyPlace) -> WrappedKey:
        answer = await self._ask("encrypt", KeyId=self._key_id, Plaintext=secret, EncryptionContext=place.as_words())
        return WrappedKey(f"{self.scheme}:{answer['KeyId']}", answer["CiphertextBlob"])

    async def unwrap(self, wrapped: WrappedKey, place: KeyPlace) -> bytes:
        key_id = own_name(wrapped.kek_id, self.scheme)
        answer = await self._ask("decrypt", KeyId=key_id, CiphertextBlob=wrapped.blob, EncryptionContext=place.as_words())
        secret: bytes = answer["Plaintext"]
        return secret

    async def close(self) -> None:
        await asyncio.to_thread(self._client.close)

    async def _ask(self, operation: str, **arguments: object) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await asyncio.to_thread(getattr(self._client, operation), **arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _FOR_GOOD:
                raise KeyRefused(code) from None
            raise ServiceUnavailable("The key service cannot be reached.") from None
        except BotoCoreError:
            raise ServiceUnavailable("The key service cannot be reached.") from None
        return answer


def open_aws_keys(key_id: str) -> AwsKeys:
    """Keys at the KMS that the environment names; nothing is asked yet."""
    import boto3
    from botocore.config import Config

    limits = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS})
    return AwsKeys(boto3.client("kms", config=limits), key_id)
