"""Settings of auth, read from variables that begin with `AUTH_`."""

import os
from datetime import timedelta
from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from auth.clients.access_tokens import TokenPolicy
from auth.clients.master_key import read_master_key
from auth.clients.passwords import HashingPolicy
from auth.domain.lockout import LockoutPolicy
from auth.domain.sessions import SessionPolicy
from auth.domain.signing_keys import KeyPolicy
from service_kit.settings import ServiceSettings, service_config

Positive = Annotated[int, Field(ge=1)]


class Settings(ServiceSettings):
    """What auth is told beside what every service is told; times are in the unit that the name ends with."""

    model_config = service_config("AUTH_")
    service_name: ClassVar[str] = "auth"

    port: int = 8101
    # Signing keys are stored under it; refresh tokens, invitations and CSRF tokens are proved with keys derived from it.
    master_key: SecretStr
    default_tenant: str | None = None
    # Browser origins, separated by commas, that may use the session cookie beside the service's own.
    allowed_origins: str = ""
    cookies_secure: bool = True
    # How many proxies of our own add to X-Forwarded-For; 1 behind the gateway.
    trusted_proxies: Annotated[int, Field(ge=0, le=5)] = 0

    access_token_minutes: Annotated[int, Field(ge=1, le=60)] = 10
    session_idle_hours: Positive = 7 * 24
    session_absolute_hours: Positive = 30 * 24
    # Two tabs, or one answer lost on the way: measured in seconds. A thief's copy turns up later than that.
    refresh_grace_seconds: Annotated[int, Field(ge=0, le=60)] = 10
    invitation_hours: Positive = 7 * 24

    # OWASP's second choice for argon2id: 15 ms on the machine of the field notes (section 2).
    hash_memory_kib: Annotated[int, Field(ge=19_456)] = 19_456
    hash_passes: Annotated[int, Field(ge=2)] = 2
    hash_lanes: Positive = 1
    hash_threads: Annotated[int, Field(ge=0, description="0 takes one fewer than there are cores, but at least one")] = 0
    # At 15 ms each on one thread the last in the queue waits half a second.
    hash_queue_limit: Positive = 32

    lockout_failures: Positive = 10
    lockout_window_minutes: Positive = 15
    lockout_minutes: Positive = 15
    # Limits in the notation of the limits library.
    sign_in_limit_per_client: str = "60/minute"
    sign_in_limit_per_account: str = "30/minute"
    register_limit_per_client: str = "20/minute"
    refresh_limit_per_client: str = "120/minute"

    signing_key_days: Positive = 30
    # Longer than other services keep the published keys (five minutes) and the route lets proxies keep them.
    signing_key_publish_ahead_minutes: Annotated[int, Field(ge=10)] = 20
    signing_key_check_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        read_master_key(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.session_idle_hours > self.session_absolute_hours:
            raise ValueError("session_idle_hours must not be longer than session_absolute_hours")
        if self.environment == "production" and not self.cookies_secure:
            raise ValueError("cookies_secure must be on in production")
        return self

    @property
    def own_origins(self) -> frozenset[str]:
        return frozenset(origin.strip().rstrip("/") for origin in self.allowed_origins.split(",") if origin.strip())

    @property
    def sessions(self) -> SessionPolicy:
        return SessionPolicy(
            idle=timedelta(hours=self.session_idle_hours),
            absolute=timedelta(hours=self.session_absolute_hours),
            grace=timedelta(seconds=self.refresh_grace_seconds),
        )

    @property
    def invitation_lifetime(self) -> timedelta:
        return timedelta(hours=self.invitation_hours)

    @property
    def lockout(self) -> LockoutPolicy:
        window, rest = timedelta(minutes=self.lockout_window_minutes), timedelta(minutes=self.lockout_minutes)
        return LockoutPolicy(limit=self.lockout_failures, window=window, rest=rest)

    @property
    def access_tokens(self) -> TokenPolicy:
        lifetime = timedelta(minutes=self.access_token_minutes)
        return TokenPolicy(issuer=self.token_issuer, audience=self.token_audience, lifetime=lifetime)

    @property
    def signing_keys(self) -> KeyPolicy:
        return KeyPolicy(
            lifetime=timedelta(days=self.signing_key_days),
            publish_ahead=timedelta(minutes=self.signing_key_publish_ahead_minutes),
            # A minute more, for clocks that do not agree.
            token_lifetime=timedelta(minutes=self.access_token_minutes + 1),
        )

    @property
    def hashing(self) -> HashingPolicy:
        return HashingPolicy(
            memory_kib=self.hash_memory_kib,
            passes=self.hash_passes,
            lanes=self.hash_lanes,
            threads=self.hash_threads or max(1, (os.cpu_count() or 2) - 1),
            queue_limit=self.hash_queue_limit,
            retry_after_seconds=1,
        )
