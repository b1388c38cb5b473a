"""Key-encryption keys in Google Cloud KMS: a data key is encrypted there, with its place as additional authenticated data.

Credentials come from the environment as Google's SDK reads them. What is stored is the key's version that wrapped; Google finds
the version of a ciphertext by itself, so that unwrapping names the key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

from google.api_core import exceptions as google_errors
from google.api_core import retry as retries
from google.api_core.retry_async import AsyncRetry
from google_crc32c import value as crc32c

from messaging.clients.keys.port import KeyRefused, own_name
from messaging.domain.keys import KeyPlace, WrappedKey
from service_kit.errors import ServiceUnavailable

if TYPE_CHECKING:
    from google.cloud.kms_v1 import KeyManagementServiceAsyncClient

TIMEOUT_SECONDS = 3.0

_FOR_GOOD = (
    google_errors.InvalidArgument,
    google_errors.NotFound,
    google_errors.PermissionDenied,
    google_errors.FailedPrecondition,
)


class GoogleKeys:
    """Wraps under the primary version of one key (`projects/../locations/../keyRings/../cryptoKeys/..`)."""

    scheme: ClassVar[str] = "google-kms"

    def __init__(self, client: KeyManagementServiceAsyncClient, key_name: str) -> None:
        self._client = client
        self._key_name = key_name

    async def current_id(self) -> str:
        key = await self._ask(self._client.get_crypto_key, {"name": self._key_name})
        return f"{self.scheme}:{key.primary.name}"

    async def wrap(self, secret: bytes, place: KeyPlace) -> WrappedKey:
        request = {
            "name": self._key_name,
            "plaintext": secret,
            "plaintext_crc32c": crc32c(secret),
            "additional_authenticated_data": place.as_bytes(),
        }
        answer = await self._ask(self._client.encrypt, request)
        if not answer.verified_plaintext_crc32c or answer.ciphertext_crc32c != crc32c(answer.ciphertext):
            raise ServiceUnavailable("The key service's answer was damaged on its way.")
        return WrappedKey(f"{self.scheme}:{answer.name}", answer.ciphertext)

    async def unwrap(self, wrapped: WrappedKey, place: KeyPlace) -> bytes:
        request = {
            "name": own_name(wrapped.kek_id, self.scheme).partition("/cryptoKeyVersions/")[0],
            "ciphertext": wrapped.blob,
            "ciphertext_crc32c": crc32c(wrapped.blob),
            "additional_authenticated_data": place.as_bytes(),
        }
        answer = await self._ask(self._client.decrypt, request)
        secret: bytes = answer.plaintext
        if answer.plaintext_crc32c != crc32c(secret):
            raise ServiceUnavailable("The key service's answer was damaged on its way.")
        return secret

    async def _ask(self, method: Callable[..., Awaitable[Any]], request: dict[str, object]) -> Any:
        try:
            return await method(request=request, timeout=TIMEOUT_SECONDS, retry=_again())
        except _FOR_GOOD as error:
            raise KeyRefused(type(error).__name__) from None
        except google_errors.GoogleAPIError:
            raise ServiceUnavailable("The key service cannot be reached.") from None

    async def close(self) -> None:
        await self._client.transport.close()  # type: ignore[no-untyped-call]  # Google's transports have no annotation there


def open_google_keys(key_name: str) -> GoogleKeys:
    """Keys at Google; nothing is asked yet. To be called where an event loop runs."""
    from google.cloud.kms_v1 import KeyManagementServiceAsyncClient

    return GoogleKeys(KeyManagementServiceAsyncClient(), key_name)


def _again() -> AsyncRetry:
    """The SDK by itself would try again for a minute, longer than anybody waits for a message."""
    tries = retries.if_exception_type(google_errors.ServiceUnavailable)
    return AsyncRetry(predicate=tries, initial=0.1, maximum=0.5, timeout=TIMEOUT_SECONDS)
