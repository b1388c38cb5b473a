"""Attachments in Google Cloud Storage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import orjson
from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage  # type: ignore[attr-defined]  # a namespace that mypy cannot look into
from google.oauth2 import service_account
from pydantic import SecretStr
from requests.exceptions import RequestException

from messaging.clients.objects.calls import CONNECT_SECONDS, READ_SECONDS, Calls
from messaging.clients.objects.port import DOWNLOAD_TYPE, UploadLink, disposition
from messaging.domain.attachments import MAX_BYTES, Content

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_LIMITS: Mapping[str, Any] = {"timeout": (CONNECT_SECONDS, READ_SECONDS), "retry": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class GcsPlace:
    """A bucket, the JSON of the service account's key that signs links, and another server than Google's, if any."""

    bucket: str
    credentials: SecretStr
    endpoint: str | None = None
    public_endpoint: str | None = None


class GcsObjects:
    """Google keeps no SHA-256: a link binds type, size and an empty place, and the content is read once to check it."""

    def __init__(self, place: GcsPlace) -> None:
        self._credentials = _credentials(place.credentials)
        options = {"api_endpoint": place.endpoint} if place.endpoint else None
        self._client = storage.Client(project=self._credentials.project_id, credentials=self._credentials, client_options=options)
        self._bucket = self._client.bucket(place.bucket)
        self._public_endpoint = place.public_endpoint or place.endpoint
        self._calls = Calls(GoogleAPICallError, GoogleAuthError, RequestException)

    def upload_link(self, key: str, content: Content, lifetime: timedelta) -> UploadLink:
        """See ObjectStore. What was uploaded once cannot be replaced by the same link."""
        size = content.size_bytes
        bound = {"x-goog-content-length-range": f"{size},{size}", "x-goog-if-generation-match": "0"}
        url = self._sign(key, lifetime, method="PUT", content_type=content.content_type, headers=bound)
        return UploadLink("PUT", url, {"Content-Type": content.content_type, **bound})

    def download_link(self, key: str, name: str, lifetime: timedelta) -> str:
        """See ObjectStore."""
        return self._sign(key, lifetime, method="GET", response_type=DOWNLOAD_TYPE, response_disposition=disposition(name))

    async def describe(self, key: str) -> Content | None:
        """See ObjectStore."""
        return await self._calls.run(lambda: self._describe(key))

    async def remove(self, key: str) -> None:
        """See ObjectStore."""
        await self._calls.run(lambda: self._remove(key))

    async def aclose(self) -> None:
        """See ObjectStore."""
        await self._calls.close()
        self._client.close()

    def _describe(self, key: str) -> Content | None:
        blob = self._bucket.blob(key)
        try:
            blob.reload(**_LIMITS)
        except NotFound:
            return None
        # Kept aside: a download writes what its answer says over it.
        content_type, size, digest = blob.content_type or "", blob.size, _Digest()
        # What is larger than anything that is announced needs no checksum to be refused.
        if size <= MAX_BYTES:
            blob.download_to_file(digest, if_generation_match=blob.generation, checksum=None, **_LIMITS)
        return Content(content_type, size, digest.sha256)

    def _remove(self, key: str) -> None:
        try:
            self._bucket.blob(key).delete(**_LIMITS)
        except NotFound:
            return

    def _sign(self, key: str, lifetime: timedelta, **bound: object) -> str:
        return str(
            self._bucket.blob(key).generate_signed_url(
                version="v4",
                expiration=lifetime,
                credentials=self._credentials,
                api_access_endpoint=self._public_endpoint,
                **bound,
            )
        )


def _credentials(key: SecretStr) -> service_account.Credentials:
    read: Any = service_account.Credentials.from_service_account_info  # a part of Google's SDK without types
    return cast("service_account.Credentials", read(orjson.loads(key.get_secret_value()), scopes=[_SCOPE]))


class _Digest:
    """A file that keeps nothing of what is written to it but its SHA-256."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        self._digest.update(chunk)
        return len(chunk)

    @property
    def sha256(self) -> bytes:
        return self._digest.digest()
