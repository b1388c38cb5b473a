"""A store in a bucket of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from service_kit.errors import ServiceUnavailable
from service_kit.object_store.port import ObjectAbsent, Sink, StoreAccess


class GoogleStore:
    """The files of a bucket whose names begin with the prefix."""

    def __init__(self, bucket: str, prefix: str, access: StoreAccess) -> None:
        self._prefix = f"{prefix}/" if prefix else ""
        # An endpoint of one's own is a stand-in for Google's, which knows no credentials.
        stand_in = {
            "project": "local",
            "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]  # the library ships no types here
            "client_options": ClientOptions(api_endpoint=access.endpoint),
        }
        self._client: Any = storage.Client(**stand_in) if access.endpoint else storage.Client()
        self._bucket = self._client.bucket(bucket)
        self._patience = {"timeout": access.answer_seconds, "retry": DEFAULT_RETRY.with_timeout(access.answer_seconds)}

    def put(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        with _errors():
            self._blob(path).upload_from_string(content, content_type="application/octet-stream", **self._patience)

    def copy(self, path: str, into: Sink) -> None:
        """See ObjectStore."""
        with _errors():
            self._blob(path).download_to_file(into, **self._patience)

    def paths(self, prefix: str = "") -> list[str]:
        """See ObjectStore."""
        with _errors():
            blobs = self._client.list_blobs(self._bucket, prefix=self._prefix + prefix, **self._patience)
            return sorted(blob.name.removeprefix(self._prefix) for blob in blobs)

    def remove(self, path: str) -> None:
        """See ObjectStore."""
        with _errors():
            try:
                self._blob(path).delete(**self._patience)
            except NotFound:
                return

    def _blob(self, path: str) -> Any:
        return self._bucket.blob(self._prefix + path)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise ObjectAbsent from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise ServiceUnavailable(f"Google Cloud Storage does not answer: {type(error).__name__}.") from error
