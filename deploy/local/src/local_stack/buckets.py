"""Buckets at a server that speaks S3's API: made where they are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

REGION = "us-east-1"
"""The region that requests are signed for; there is one only."""

OBJECTS_USER = "bloom"
"""The name that requests are signed by."""

BUCKETS = ("bloom-attachments", "bloom-models", "bloom-lake")
"""What the services keep at the object store: the files of conversations, models, and the lake."""


@dataclass(frozen=True)
class S3Access:
    """Where the server is and the keys that requests are signed with."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)

    def client(self) -> Any:
        """A client of boto3; whoever asked for it closes it."""
        import boto3
        from botocore.config import Config

        settings = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=10,
            retries={"total_max_attempts": 1},
        )
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, config=settings, **keys)


def is_serving(access: S3Access, buckets: Sequence[str] = BUCKETS) -> bool:
    """Whether the server keeps and gives objects and has its buckets; makes those that are missing."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = access.client()
    try:
        _make_missing(client, buckets)
        # The S3 server listens some seconds before it knows the server that holds the objects.
        probe = {"Bucket": buckets[0], "Key": "is-ready"}
        client.put_object(**probe, Body=b"ready")
        client.delete_object(**probe)
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True


def _make_missing(client: Any, buckets: Sequence[str]) -> None:
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in buckets:
        if bucket not in there:
            client.create_bucket(Bucket=bucket)
