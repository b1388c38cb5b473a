"""Where models are kept: a folder, S3 or Google Cloud Storage, behind one port. Calls block: make them on a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage  # type: ignore[attr-defined]  # a namespace that mypy cannot look into
from google.cloud.storage.retry import DEFAULT_RETRY
from pydantic import SecretStr

from ml_scoring.domain.models import ModelStoreAway, UnknownModel

CHUNK_BYTES = 1024 * 1024
ANSWER_SECONDS = 10.0
"""How long a store may be silent before it counts as away."""
_S3_ABSENT = {"NoSuchKey", "404", "NotFound"}


class Sink(Protocol):
    """What a file is written into."""

    def write(self, part: bytes, /) -> object: ...


class ModelStore(Protocol):
    """Files by their path `name/version/file`. Raises ModelStoreAway when the store fails."""

    def paths(self) -> list[str]:
        """The path of every file."""

    def copy(self, path: str, into: Sink) -> None:
        """Write the file's content into the sink, part by part; raises UnknownModel when there is no such file."""


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """How a store is reached; what is not given is found as the cloud's own library does (environment, instance, workload)."""

    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


def open_store(address: str, access: StoreAccess = StoreAccess()) -> ModelStore:
    """The store at `s3://bucket/prefix`, `gs://bucket/prefix`, `file:///folder` or a plain folder; raises ValueError."""
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    match parts.scheme:
        case "s3" if parts.netloc:
            return S3Store(parts.netloc, prefix, access)
        case "gs" if parts.netloc:
            return GoogleStore(parts.netloc, prefix, access)
        case "file" if not parts.netloc and prefix:
            return FolderStore(Path(unquote(parts.path)))
        case "" if address:
            return FolderStore(Path(address))
        case _:
            raise ValueError("a store of models is s3://bucket/prefix, gs://bucket/prefix, file:///folder or a folder")


class FolderStore:
    """Models in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def paths(self) -> list[str]:
        try:
            return sorted(str(path.relative_to(self.root)) for path in self.root.glob("*/*/*") if path.is_file())
        except OSError as error:
            raise ModelStoreAway(f"The folder of models cannot be read: {error.strerror}.") from error

    def copy(self, path: str, into: Sink) -> None:
        try:
            with (self.root / path).open("rb") as file:
                while part := file.read(CHUNK_BYTES):
                    into.write(part)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnknownModel from error
        except OSError as error:
            raise ModelStoreAway(f"The folder of models cannot be read: {error.strerror}.") from error


class S3Store:
    """Models in a bucket of S3 or of a server that speaks its protocol."""

    def __init__(self, bucket: str, prefix: str, access: StoreAccess) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        # Path style, because a bucket of the local stack has no host name of its own.
        style: dict[str, Any] = {"addressing_style": "path"} if access.endpoint else {}
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=access.endpoint,
            region_name=access.region,
            aws_access_key_id=access.access_key and access.access_key.get_secret_value(),
            aws_secret_access_key=access.secret_key and access.secret_key.get_secret_value(),
            config=Config(
                connect_timeout=ANSWER_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 3}, s3=style
            ),
        )

    def paths(self) -> list[str]:
        with _s3_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            return [item["Key"].removeprefix(self._prefix) for page in pages for item in page.get("Contents", ())]

    def copy(self, path: str, into: Sink) -> None:
        with _s3_errors():
            for part in self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)["Body"].iter_chunks(CHUNK_BYTES):
                into.write(part)


class GoogleStore:
    """Models in a bucket of Google Cloud Storage."""

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
        self._patience = {"timeout": ANSWER_SECONDS, "retry": DEFAULT_RETRY.with_timeout(ANSWER_SECONDS)}

    def paths(self) -> list[str]:
        with _google_errors():
            blobs = self._client.list_blobs(self._bucket, prefix=self._prefix, **self._patience)
            return [blob.name.removeprefix(self._prefix) for blob in blobs]

    def copy(self, path: str, into: Sink) -> None:
        with _google_errors():
            self._bucket.blob(self._prefix + path).download_to_file(into, **self._patience)


@contextmanager
def _s3_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in _S3_ABSENT:
            raise UnknownModel from error
        raise ModelStoreAway(f"S3 answers {code}.") from error
    except (BotoCoreError, OSError) as error:
        raise ModelStoreAway(f"S3 does not answer: {type(error).__name__}.") from error


@contextmanager
def _google_errors() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise UnknownModel from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise ModelStoreAway(f"Google Cloud Storage does not answer: {type(error).__name__}.") from error
