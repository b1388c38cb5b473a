"""Attachments in S3, or in what speaks like it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from messaging.clients.objects.calls import CHUNK_BYTES, CONNECT_SECONDS, READ_SECONDS, THREADS, Calls, sha256_of
from messaging.clients.objects.port import DOWNLOAD_TYPE, UploadLink, disposition
from messaging.domain.attachments import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """A bucket and how it is reached. Without keys boto's own chain is asked: environment, role of the machine or of the pod.

    `endpoint` is where this service calls, `public_endpoint` the same server as clients see it; both are left out on AWS.
    """

    bucket: str
    region: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = None


class S3Objects:
    """Links are signed with everything that was announced, so that S3 itself refuses another size, type or content."""

    def __init__(self, place: S3Place) -> None:
        self._bucket = place.bucket
        self._client = _client(place, place.endpoint)
        self._signer = _client(place, place.public_endpoint or place.endpoint)
        self._calls = Calls(BotoCoreError, ClientError)

    def upload_link(self, key: str, content: Content, lifetime: timedelta) -> UploadLink:
        """See ObjectStore. The client's own library adds Content-Length, which is signed, too."""
        checksum = base64.b64encode(content.sha256).decode()
        url = self._sign(
            "put_object",
            {"Key": key, "ContentType": content.content_type, "ContentLength": content.size_bytes, "ChecksumSHA256": checksum},
            lifetime,
        )
        return UploadLink("PUT", url, {"Content-Type": content.content_type, "x-amz-checksum-sha256": checksum})

    def download_link(self, key: str, name: str, lifetime: timedelta) -> str:
        """See ObjectStore."""
        answer = {"ResponseContentType": DOWNLOAD_TYPE, "ResponseContentDisposition": disposition(name)}
        return self._sign("get_object", {"Key": key, **answer}, lifetime)

    async def describe(self, key: str) -> Content | None:
        """See ObjectStore. A store that keeps no checksum has the content read once instead."""
        return await self._calls.run(lambda: self._describe(key))

    async def remove(self, key: str) -> None:
        """See ObjectStore."""
        await self._calls.run(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

    async def aclose(self) -> None:
        """See ObjectStore."""
        await self._calls.close()
        self._client.close()
        self._signer.close()

    def _describe(self, key: str) -> Content | None:
        place = {"Bucket": self._bucket, "Key": key}
        try:
            head = self._client.head_object(**place, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        kept = head.get("ChecksumSHA256")
        checksum = base64.b64decode(kept) if kept else self._checksum(place)
        return Content(head["ContentType"], head["ContentLength"], checksum)

    def _checksum(self, place: Mapping[str, str]) -> bytes:
        body = self._client.get_object(**place)["Body"]
        try:
            return sha256_of(body.iter_chunks(CHUNK_BYTES))
        finally:
            body.close()

    def _sign(self, operation: str, parameters: Mapping[str, object], lifetime: timedelta) -> str:
        return str(
            self._signer.generate_presigned_url(
                operation, Params={"Bucket": self._bucket, **parameters}, ExpiresIn=int(lifetime.total_seconds())
            )
        )


def _client(place: S3Place, endpoint: str | None) -> Any:  # boto3 makes its classes when it runs
    settings = Config(
        signature_version="s3v4",
        # Names of buckets in the host would need a name server that knows them; AWS is asked in the way it prefers.
        s3={"addressing_style": "path" if endpoint else "virtual"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    return Session().client(
        "s3",
        region_name=place.region,
        endpoint_url=endpoint,
        aws_access_key_id=place.access_key,
        aws_secret_access_key=place.secret_key,
        config=settings,
    )
