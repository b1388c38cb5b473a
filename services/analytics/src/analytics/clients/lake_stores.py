"""Where the lake lies: a folder, S3 or Google Cloud Storage, behind one port. Calls block: make them on a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

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

from service_kit.errors import ServiceUnavailable

ANSWER_SECONDS = 20.0
"""How long a store may be silent before it counts as away."""

_PARTIAL = ".partial"


class LakeStore(Protocol):
    """Files by their path. Raises ServiceUnavailable when the store fails, and also when a file that is read is not there."""

    def put(self, path: str, content: bytes) -> None:
        """Return once the file is there as a whole; one that was there is replaced."""

    def get(self, path: str) -> bytes:
        """The content of a file."""

    def paths(self, prefix: str) -> list[str]:
        """The path of every file that begins so, in order."""

    def remove(self, path: str) -> None:
        """Remove the file; nothing happens when there is none."""


@dataclass(frozen=True, slots=True)
class LakeAccess:
    """How a store is reached; what is not given is found as the cloud's own library does (environment, instance, workload)."""

    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


def open_lake_store(address: str, access: LakeAccess = LakeAccess()) -> LakeStore:
    """The store at `s3://bucket/prefix`, `gs://bucket/prefix`, `file:///folder` or a plain folder; raises ValueError."""
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    match parts.scheme:
        case "s3" if parts.netloc:
            return S3Lake(parts.netloc, prefix, access)
        case "gs" if parts.netloc:
            return GoogleLake(parts.netloc, prefix, access)
        case "file" if not parts.netloc and prefix:
            return FolderLake(Path(unquote(parts.path)))
        case "" if address:
            return FolderLake(Path(address))
        case _:
            raise ValueError("a lake is s3://bucket/prefix, gs://bucket/prefix, file:///folder or a folder")


class FolderLake:
    """A lake in a folder of this machine. A file appears under its name when it is whole and on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, content: bytes) -> None:
        with _folder_errors():
            aside, place = self.root / _PARTIAL / uuid4().hex, self.root / path
            for folder in (aside.parent, place.parent):
                folder.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(place)
            _sync_folder(place.parent)

    def get(self, path: str) -> bytes:
        with _folder_errors():
            return (self.root / path).read_bytes()

    def paths(self, prefix: str) -> list[str]:
        with _folder_errors():
            files = [str(each.relative_to(self.root)) for each in self.root.rglob("*") if each.is_file()]
        return sorted(path for path in files if path.startswith(prefix) and not path.startswith(_PARTIAL))

    def remove(self, path: str) -> None:
        with _folder_errors():
            (self.root / path).unlink(missing_ok=True)


class S3Lake:
    """A lake in a bucket of S3 or of a server that speaks its protocol."""

    def __init__(self, bucket: str, prefix: str, access: LakeAccess) -> None:
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

    def put(self, path: str, content: bytes) -> None:
        with _s3_errors():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + path, Body=content)

    def get(self, path: str) -> bytes:
        with _s3_errors():
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)["Body"].read()
            return content

    def paths(self, prefix: str) -> list[str]:
        with _s3_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            return sorted(item["Key"].removeprefix(self._prefix) for page in pages for item in page.get("Contents", ()))

    def remove(self, path: str) -> None:
        with _s3_errors():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)


class GoogleLake:
    """A lake in a bucket of Google Cloud Storage."""

    def __init__(self, bucket: str, prefix: str, access: LakeAccess) -> None:
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

    def put(self, path: str, content: bytes) -> None:
        with _google_errors():
            self._blob(path).upload_from_string(content, content_type="application/octet-stream", **self._patience)

    def get(self, path: str) -> bytes:
        with _google_errors():
            content: bytes = self._blob(path).download_as_bytes(**self._patience)
            return content

    def paths(self, prefix: str) -> list[str]:
        with _google_errors():
            blobs = self._client.list_blobs(self._bucket, prefix=self._prefix + prefix, **self._patience)
            return sorted(blob.name.removeprefix(self._prefix) for blob in blobs)

    def remove(self, path: str) -> None:
        with _google_errors():
            try:
                self._blob(path).delete(**self._patience)
            except NotFound:
                return

    def _blob(self, path: str) -> Any:
        return self._bucket.blob(self._prefix + path)


def _sync_folder(folder: Path) -> None:
    """See to it that the names in the folder outlive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnavailable("The folder of the lake cannot be used.") from error


@contextmanager
def _s3_errors() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        raise ServiceUnavailable("The store of the lake does not do what it is asked.") from error


@contextmanager
def _google_errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise ServiceUnavailable("The store of the lake does not do what it is asked.") from error
