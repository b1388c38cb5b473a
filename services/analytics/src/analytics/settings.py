"""Settings of analytics, read from variables that begin with `ANALYTICS_`."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Annotated, ClassVar, Self
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator

from analytics.domain.lake.rows import KEY_BYTES
from service_kit.settings import Port, Seconds, ServiceSettings, service_config


class Settings(ServiceSettings):
    """What analytics is told beside what every service is told; times are in the unit that the name ends with."""

    model_config = service_config("ANALYTICS_")
    service_name: ClassVar[str] = "analytics"

    port: Port = 8107
    # Whose midnight begins a day; a tenant may have a zone of its own.
    time_zone: str = "UTC"
    tenant_time_zones: dict[UUID, str] = Field(default_factory=dict)
    # How late an event may be until its window is final; later ones make a correction.
    allowed_lateness_seconds: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    # A partition from which nothing came for so long holds no window open.
    idle_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    # An event that claims to be further in the future than clocks drift moves no watermark.
    clock_drift_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    # An open window that changes is told again so often at most.
    update_seconds: Seconds = 1.0

    # Whose administrators may see the totals over all tenants; without it nobody may.
    operator_tenant: UUID | None = None
    # A stream of changes says so often that it lives, and ends after so long: whoever follows comes back.
    stream_beat_seconds: Annotated[float, Field(ge=0.05, le=60)] = 15.0
    stream_seconds: Annotated[float, Field(ge=0.05, le=86_400)] = 3600.0
    streams_per_person: Annotated[int, Field(ge=1, le=100)] = 5
    streams_per_process: Annotated[int, Field(ge=1, le=10_000)] = 1000
    # More changes at a time than this are not sent: whoever follows reads the series anew, which is less work for both.
    stream_changes_at_once: Annotated[int, Field(ge=2, le=100_000)] = 2000

    # Where the lake lies: s3://bucket/prefix, gs://bucket/prefix or a folder. Without a key it is off.
    lake_store: str | None = None
    # Another server than the cloud's own, and its keys; without them the SDK asks the environment and the machine's role.
    lake_store_endpoint: str | None = None
    lake_store_region: str = "us-east-1"
    lake_store_access_key: SecretStr | None = None
    lake_store_secret_key: SecretStr | None = None
    # 32 bytes in base64: pseudonyms are made with it. Who has lost it cannot join new files with old ones.
    lake_key: SecretStr | None = None
    # How often what is new in the log becomes files.
    lake_seconds: Seconds = 3600.0
    # How long after its end a day is compacted, and how long the files that this replaces stay for those who read them.
    lake_day_over_seconds: Annotated[float, Field(ge=0)] = 3600.0
    lake_superseded_seconds: Annotated[float, Field(ge=0)] = 3600.0

    @field_validator("lake_key")
    @classmethod
    def _has_32_bytes(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(b64decode(key.get_secret_value(), validate=True)) != KEY_BYTES:
            raise ValueError("the key of the lake is 32 bytes in base64")
        return key

    @model_validator(mode="after")
    def _knows_its_zones(self) -> Self:
        unknown = {self.time_zone, *self.tenant_time_zones.values()} - available_timezones()
        if unknown:
            raise ValueError(f"no time zone of the IANA database: {', '.join(sorted(unknown))}")
        return self

    def zone_of(self, tenant_id: UUID) -> ZoneInfo:
        """The zone by whose calendar a tenant's days begin."""
        return ZoneInfo(self.tenant_time_zones.get(tenant_id, self.time_zone))

    @property
    def allowed_lateness(self) -> timedelta:
        """How late an event may be until its window is final."""
        return timedelta(seconds=self.allowed_lateness_seconds)
