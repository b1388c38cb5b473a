"""Settings that every service has, read from the environment under its own prefix and checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from service_kit.kafka_access import KafkaSettings

Environment = Literal["local", "test", "staging", "production"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


def service_config(env_prefix: str) -> SettingsConfigDict:
    """How a service's settings are read: from variables `<env_prefix><NAME>`, then frozen; an empty variable is an unset one."""
    # A refusal would otherwise print what it was given, passwords included.
    return SettingsConfigDict(
        env_prefix=env_prefix, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )


class ServiceSettings(KafkaSettings):
    """What every process of every service is told; a service adds its own fields in a subclass.

    A subclass sets `model_config = service_config("AUTH_")` and `service_name = "auth"`. Fields without a default refuse to
    start when they are unset. Secrets are `SecretStr` and never printed.
    """

    service_name: ClassVar[str]

    environment: Environment
    database_url: SecretStr
    migration_database_url: SecretStr | None = None
    relay_database_url: SecretStr | None = None
    migrations_folder: Path = Path("migrations")
    # Eight connections carried 4,000 writing requests a second on two cores (field notes, section 2).
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 8
    database_acquire_seconds: Seconds = 2.0
    # How long a worker may be silent before the others take over its partitions.
    worker_session_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    # A name that outlives the process, one per worker at a time: whoever comes back under it takes its partitions up at once.
    worker_instance: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = None
    valkey_url: SecretStr | None = None
    jwks_url: str | None = None
    token_issuer: str = "https://bloom.local/auth"  # noqa: S105  # the public name of the issuer, not a secret
    token_audience: str = "bloom"  # noqa: S105  # the public name of the audience, not a secret
    # The private key (Ed25519 JWK) by which this service calls others, and the public keys of those who may call it, by name.
    service_key: SecretStr | None = None
    trusted_services: dict[str, dict[str, str]] = Field(default_factory=dict)
    host: str = "127.0.0.1"
    port: Port = 8000
    probe_port: Port = 0
    log_level: LogLevel = "INFO"
    otlp_endpoint: str | None = None
    shutdown_limit_seconds: Seconds = 20.0
    request_body_limit_bytes: Annotated[int, Field(ge=1024)] = 65_536
    idempotency_retention_hours: Annotated[int, Field(ge=1)] = 24
    # Switches that plant a bug on purpose, so that the fault tests can show that their checkers see it.
    unsafe_outbox_off: bool = False
    unsafe_inbox_off: bool = False

    @model_validator(mode="after")
    def _planted_bugs_only_in_tests(self) -> Self:
        if (self.unsafe_outbox_off or self.unsafe_inbox_off) and self.environment != "test":
            raise ValueError("unsafe_outbox_off and unsafe_inbox_off are refused outside the environment 'test'")
        return self

    @model_validator(mode="after")
    def _encrypted_in_production(self) -> Self:
        if self.environment != "production":
            return self
        databases = (self.database_url, self.migration_database_url, self.relay_database_url)
        if any(url is not None and "sslmode=verify-full" not in url.get_secret_value() for url in databases):
            raise ValueError("in production every address of a database says sslmode=verify-full")
        if self.valkey_url is not None and not self.valkey_url.get_secret_value().startswith("rediss://"):
            raise ValueError("in production valkey_url begins with rediss://")
        if self.kafka_security_protocol == "PLAINTEXT":
            raise ValueError("in production kafka_security_protocol is SSL or SASL_SSL")
        return self

    @field_validator("database_url", "migration_database_url", "relay_database_url")
    @classmethod
    def _names_a_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be an address such as postgresql://role@host:5432/database")
        return url

    @property
    def source(self) -> str:
        """The CloudEvents source of this service's events, such as `/bloom/auth`."""
        return f"/bloom/{self.service_name}"


def describe(settings: ServiceSettings) -> dict[str, object]:
    """The settings for the first log line of a process: everything but secrets, of which only "set" or "unset" is said."""
    described: dict[str, object] = {"service": settings.service_name}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if "SecretStr" in str(field.annotation) or isinstance(value, SecretStr):
            described[name] = "set" if value is not None else "unset"
        else:
            described[name] = str(value) if isinstance(value, Path) else value
    return described
