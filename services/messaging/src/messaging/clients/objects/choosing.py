"""Which object store an address of the settings means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from messaging.clients.objects.port import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccess:
    """How a store is reached; what its kind does not need is left out."""

    address: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str = "us-east-1"
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    gcs_credentials: SecretStr | None = None


def bucket_of(address: str) -> tuple[str, str]:
    """The kind of store and the bucket of `s3://bucket` or `gs://bucket`; raises ValueError for any other address."""
    parts = urlsplit(address)
    if parts.scheme not in {"s3", "gs"} or not parts.netloc or parts.path.strip("/"):
        raise ValueError("an object store is named by s3://bucket or gs://bucket")
    return parts.scheme, parts.netloc


def open_store(access: StoreAccess) -> ObjectStore:
    """The store behind an address. Only the SDK that is needed is imported: Google's takes a second."""
    kind, bucket = bucket_of(access.address)
    if kind == "s3":
        from messaging.clients.objects.s3 import S3Objects, S3Place

        return S3Objects(
            S3Place(
                bucket=bucket,
                region=access.region,
                endpoint=access.endpoint,
                public_endpoint=access.public_endpoint,
                access_key=_shown(access.access_key),
                secret_key=_shown(access.secret_key),
            )
        )
    from messaging.clients.objects.gcs import GcsObjects, GcsPlace

    if access.gcs_credentials is None:
        raise ValueError("gs:// needs the key of a service account, which signs the links")
    return GcsObjects(
        GcsPlace(
            bucket=bucket,
            credentials=access.gcs_credentials,
            endpoint=access.endpoint,
            public_endpoint=access.public_endpoint,
        )
    )


def _shown(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
