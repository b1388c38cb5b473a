"""Settings of notifications, read from variables that begin with `NOTIFICATIONS_`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from notifications.clients.configs import MailConfig, PushConfig, Security, SmsConfig, public_key
from notifications.clients.master_key import read_master_key
from notifications.domain.notices import Timing
from notifications.domain.watch import Patience
from notifications.use_cases.failpoints import armed
from service_kit.settings import Port, ServiceSettings, service_config

_PUSH_SERVICES = "fcm.googleapis.com,updates.push.services.mozilla.com,web.push.apple.com,.notify.windows.com"
_SETS = {
    "sms": ("sms_account_sid", "sms_auth_token", "sms_sender"),
    "push": ("push_key", "push_subject"),
    "mail": ("smtp_username", "smtp_password"),
    "mail events": ("mail_events_url", "mail_events_key"),
    "auth": ("auth_url", "service_key"),
}
"""What is told together or not at all."""


class Settings(ServiceSettings):
    """What notifications is told beside what every service is told; times are in the unit that the name ends with."""

    model_config = service_config("NOTIFICATIONS_")
    service_name: ClassVar[str] = "notifications"

    port: Port = 8106
    # Notes that people leave about alerts are sealed, and unsubscribe links signed, by keys derived from it.
    master_key: SecretStr
    # How long a patient's message may wait for its score before a person is called to read it.
    unscored_after_seconds: Annotated[float, Field(ge=0.5, le=300)] = 5.0
    # How much longer while scores that are in Kafka already have not been read; after that people are called all the same.
    unscored_catching_up_seconds: Annotated[float, Field(ge=0, le=600)] = 30.0

    # Where people use Bloom, for the links in messages, and where its API is, for those that need no sign-in.
    portal_url: str = "http://localhost:3000"
    public_url: str = "http://127.0.0.1:8080"
    # Where auth is asked how somebody is reached.
    auth_url: str | None = None

    smtp_host: str | None = None
    smtp_port: Port = 587
    smtp_security: Security = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_ca_file: Path | None = None
    mail_sender: Annotated[str, Field(pattern=r"^[^@\s<>]+@[a-z0-9.-]+$")] = "no-reply@bloom.local"
    # The event log of the sender's domain, as Mailgun's API has it: by it a mail without an answer is found again.
    mail_events_url: str | None = None
    mail_events_key: SecretStr | None = None

    # An account at Twilio, or at whoever speaks its API.
    sms_url: str = "https://api.twilio.com"
    sms_account_sid: str | None = None
    sms_auth_token: SecretStr | None = None
    sms_sender: str | None = None

    # The private VAPID key (RFC 8292), and whom push services may write to about this installation.
    push_key: SecretStr | None = None
    push_subject: Annotated[str, Field(pattern=r"^mailto:\S+@\S+$")] | None = None
    # Whoever subscribes chooses an address that this service calls: only these hosts, or below one that begins with a dot.
    push_hosts: str = _PUSH_SERVICES

    # One call of a provider takes so long at most, and shows in what the provider answers so much later at the latest.
    provider_seconds: Annotated[float, Field(ge=0.5, le=60)] = 10.0
    settle_seconds: Annotated[float, Field(ge=0.1, le=300)] = 10.0
    # Letters under way at a time on each channel.
    places_per_channel: Annotated[int, Field(ge=1, le=100)] = 8
    # Ends the worker as a power cut would, for the kill tests; refused outside the environment "test".
    failpoint: str = ""

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        read_master_key(value.get_secret_value())
        return value

    @field_validator("push_key")
    @classmethod
    def _is_a_push_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            public_key(value)
        return value

    @field_validator("portal_url", "public_url", "auth_url", "sms_url", "mail_events_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ValueError("must be an address that begins with https:// or http://")
        return url and url.rstrip("/")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for name, fields in _SETS.items():
            told = [field for field in fields if getattr(self, field) is not None]
            # Every service may have a key of its own without calling auth.
            if told and len(told) < len(fields) and told != ["service_key"]:
                raise ValueError(f"{name}: {', '.join(fields)} are told together or not at all")
        if self.failpoint and self.environment != "test":
            raise ValueError("failpoint is refused outside the environment 'test'")
        armed(self.failpoint)
        return self

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.environment not in {"production", "staging"}:
            return self
        if self.smtp_host is None or self.auth_url is None:
            raise ValueError("smtp_host and auth_url are needed: alerts are told by e-mail too")
        if self.smtp_security == "none" or not (self.public_url + self.portal_url).count("https://") == 2:
            raise ValueError("mail goes over TLS, and links lead to https addresses")
        return self

    @property
    def patience(self) -> Patience:
        return Patience(
            deadline=timedelta(seconds=self.unscored_after_seconds),
            catching_up=timedelta(seconds=self.unscored_catching_up_seconds),
        )

    @property
    def timing(self) -> Timing:
        return Timing(call=timedelta(seconds=self.provider_seconds), settle=timedelta(seconds=self.settle_seconds))

    @property
    def push_services(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.push_hosts.split(",") if name.strip())

    @property
    def allows_plain_http(self) -> bool:
        """Whether push services may be called without TLS: a simulator on this machine has none."""
        return self.environment in {"local", "test"}

    @property
    def mail(self) -> MailConfig | None:
        """How mail is handed over, None where none is sent."""
        if self.smtp_host is None:
            return None
        return MailConfig(
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            sender=self.mail_sender,
            username=self.smtp_username,
            password=self.smtp_password,
            ca_file=self.smtp_ca_file,
            events_url=self.mail_events_url,
            events_key=self.mail_events_key,
            timing=self.timing,
        )

    @property
    def sms(self) -> SmsConfig | None:
        """The account by which SMS are sent, None where none are."""
        if self.sms_account_sid is None or self.sms_auth_token is None or self.sms_sender is None:
            return None
        return SmsConfig(self.sms_url, self.sms_account_sid, self.sms_auth_token, self.sms_sender, self.timing)

    @property
    def push(self) -> PushConfig | None:
        """How push messages are signed, None where none are sent."""
        if self.push_key is None or self.push_subject is None:
            return None
        plain = self.allows_plain_http
        return PushConfig(self.push_key, self.push_subject, self.push_services, plain_http=plain, timing=self.timing)
