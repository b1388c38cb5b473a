"""A store in a bucket of S3, or of a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service_kit.errors import ServiceUnavailable
from service_kit.object_store.port import CHUNK_BYTES, ObjectAbsent, Sink, StoreAccess

_ABSENT = {"NoSuchKey", "404", "NotFound"}


class S3Store:
    """The files of a bucket whose keys begin with the prefix."""

    def __init__(self, bucket: str, prefix: str, access: StoreAccess) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        # Path style, because a bucket of the local stack has no host name of its own.
        style: dict[str, Any] = {"addressing_style": "path"} if access.endpoint else {}
        limits: dict[str, Any] = {"connect_timeout": access.answer_seconds, "read_timeout": access.answer_seconds}
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=access.endpoint,
            region_name=access.region,
            aws_access_key_id=access.access_key and access.access_key.get_secret_value(),
            aws_secret_access_key=access.secret_key and access.secret_key.get_secret_value(),
            config=Config(**limits, retries={"total_max_attempts": 3}, s3=style),
        )

    def put(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        with _errors():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + path, Body=content)

    def copy(self, path: str, into: Sink) -> None:
        """See ObjectStore."""
        with _errors():
            for part in self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)["Body"].iter_chunks(CHUNK_BYTES):
                into.write(part)

    def paths(self, prefix: str = "") -> list[str]:
        """See ObjectStore."""
        with _errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            return sorted(item["Key"].removeprefix(self._prefix) for page in pages for item in page.get("Contents", ()))

    def remove(self, path: str) -> None:
        """See ObjectStore."""
        with _errors():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in _ABSENT:
            raise ObjectAbsent from error
        raise ServiceUnavailable(f"S3 answers {code}.") from error
    except (BotoCoreError, OSError) as error:
        raise ServiceUnavailable(f"S3 does not answer: {type(error).__name__}.") from error
