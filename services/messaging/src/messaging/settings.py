"""Settings of messaging, read from variables that begin with `MESSAGING_`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from limits import parse
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from messaging.clients.objects.choosing import StoreAccess, bucket_of
from service_kit.settings import Port, Seconds, ServiceSettings, service_config


def _is_a_limit(text: str) -> str:
    parse(text)
    return text


RateLimit = Annotated[str, AfterValidator(_is_a_limit)]
"""A limit in the notation of the limits library, such as `60/minute`."""


class Settings(ServiceSettings):
    """What messaging is told beside what every service is told."""

    model_config = service_config("MESSAGING_")
    service_name: ClassVar[str] = "messaging"

    port: Port = 8104
    # A text of 10,000 characters of which each is escaped as two UTF-16 halves has 120,000 bytes.
    request_body_limit_bytes: Annotated[int, Field(ge=1024)] = 131_072

    # Who keeps the key-encryption keys: file:/path, aws-kms:<key>, google-kms:projects/../cryptoKeys/..
    key_encryption: str
    # Keepers of another kind, separated by commas, that may still unwrap what they wrapped before a move.
    former_key_encryption: str = ""
    data_key_cache_seconds: Seconds = 300.0
    data_key_cache_conversations: Annotated[int, Field(ge=1)] = 10_000

    writing_limit_per_person: RateLimit = "120/minute"
    writing_limit_per_conversation: RateLimit = "600/minute"
    receipt_limit_per_person: RateLimit = "600/minute"
    search_limit_per_person: RateLimit = "30/minute"
    opening_limit_per_person: RateLimit = "30/minute"

    # Where attachments are kept: s3://bucket or gs://bucket; without it nobody can attach anything.
    attachment_store: str | None = None
    # Another server than the cloud's own, and the same as clients reach it.
    attachment_store_endpoint: str | None = None
    attachment_store_public_endpoint: str | None = None
    attachment_store_region: str = "us-east-1"
    # Keys of S3; without them the SDK asks the environment and the machine's role.
    attachment_store_access_key: SecretStr | None = None
    attachment_store_secret_key: SecretStr | None = None
    # The JSON of the key of a service account of Google, which signs the links.
    attachment_store_gcs_credentials: SecretStr | None = None
    attachment_limit_per_person: RateLimit = "60/minute"

    # At most 2,500 connections kept the worst pushes short (field notes, section 2).
    socket_most_connections: Annotated[int, Field(ge=1)] = 5_000
    socket_most_per_person: Annotated[int, Field(ge=1)] = 20
    # What may wait in this process for a client that does not read, before it is cut, and what the kernel keeps beside it.
    socket_buffer_bytes: Annotated[int, Field(ge=65_536)] = 262_144
    socket_kernel_buffer_bytes: Annotated[int, Field(ge=4_096)] = 65_536
    # The largest is a connect: a token, and the places of some hundred conversations.
    socket_frame_limit_bytes: Annotated[int, Field(ge=4_096)] = 32_768
    socket_frames_per_second: Annotated[float, Field(gt=0)] = 20.0
    socket_frames_at_once: Annotated[float, Field(ge=1)] = 60.0
    # How long a connection may stay without having told who it is.
    socket_connect_seconds: Seconds = 10.0
    socket_ping_seconds: Seconds = 20.0
    socket_pong_seconds: Seconds = 10.0
    # How long a lost wake can hold up a push.
    socket_look_seconds: Seconds = 0.3

    @field_validator("attachment_store")
    @classmethod
    def _names_a_bucket(cls, address: str | None) -> str | None:
        if address is not None:
            bucket_of(address)
        return address

    @model_validator(mode="after")
    def _links_can_be_signed(self) -> Self:
        if (self.attachment_store or "").startswith("gs://") and self.attachment_store_gcs_credentials is None:
            raise ValueError("attachment_store gs://.. needs attachment_store_gcs_credentials")
        return self

    @property
    def store(self) -> StoreAccess | None:
        """How the object store of attachments is reached."""
        if self.attachment_store is None:
            return None
        return StoreAccess(
            address=self.attachment_store,
            endpoint=self.attachment_store_endpoint,
            public_endpoint=self.attachment_store_public_endpoint,
            region=self.attachment_store_region,
            access_key=self.attachment_store_access_key,
            secret_key=self.attachment_store_secret_key,
            gcs_credentials=self.attachment_store_gcs_credentials,
        )
