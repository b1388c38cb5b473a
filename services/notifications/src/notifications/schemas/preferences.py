"""Bodies of preferences, phone numbers and push subscriptions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from bloom_events.notifications import Channel
from notifications.domain.deciding import PushAddress
from notifications.domain.notices import Kind
from notifications.domain.preferences import Preferences, QuietHours
from notifications.domain.reaching import PushSubscription
from notifications.domain.wall_clock import time_zones
from notifications.schemas.fields import Request, Response

_QUIET: JsonDict = {"from": "22:00", "until": "07:00", "timeZone": "Europe/Berlin"}
_CHANNELS: JsonDict = {"email": True, "sms": False, "push": True}
_PREFERENCES: JsonDict = {"appointments": _CHANNELS, "reminders": _CHANNELS, "quietHours": _QUIET}
_P256_POINT_BYTES, _AUTH_BYTES, _UNCOMPRESSED = 65, 16, 4


def _known_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("must be the name of a time zone, such as Europe/Berlin")
    return name


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("must be base64url") from None


def _point(text: str) -> str:
    raw = _decoded(text)
    if len(raw) != _P256_POINT_BYTES or raw[0] != _UNCOMPRESSED:
        raise ValueError("must be an uncompressed point of P-256 in base64url")
    return text


def _auth(text: str) -> str:
    if len(_decoded(text)) != _AUTH_BYTES:
        raise ValueError("must be 16 bytes in base64url")
    return text


Minute = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["22:00"])]
"""A time of the day."""

ZoneName = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone), Field(examples=["Europe/Berlin"])]
"""A time zone of the IANA database."""

PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$"), Field(examples=["+15005550006"])]
"""A number as E.164 writes it."""


class ChannelsBody(Request):
    """By which channels something comes."""

    email: bool
    sms: bool
    push: bool

    @classmethod
    def of(cls, preferences: Preferences, kind: Kind) -> Self:
        return cls(**{channel.value: preferences.wants(kind, channel) for channel in Channel})

    def wanted(self, kind: Kind) -> set[tuple[Kind, Channel]]:
        return {(kind, channel) for channel in Channel if getattr(self, channel.value)}


class QuietHoursBody(Request):
    """From one time of the day until another, over midnight when the end is earlier. The zone is the profile's unless named."""

    begin: Minute = Field(alias="from")
    until: Minute
    time_zone: ZoneName | None = None

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if self.begin == self.until:
            raise ValueError("quiet hours must begin and end at different times")
        return self

    @classmethod
    def of(cls, quiet: QuietHours) -> Self:
        return cls.model_validate(
            {"from": _clock(quiet.from_minute), "until": _clock(quiet.until_minute), "timeZone": quiet.time_zone}
        )

    def quiet_hours(self) -> QuietHours:
        return QuietHours(_minutes(self.begin), _minutes(self.until), self.time_zone)


class PreferencesRequest(Request):
    """Everything that can be chosen; what concerns somebody's safety cannot."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PREFERENCES]})

    appointments: ChannelsBody
    reminders: ChannelsBody
    quiet_hours: QuietHoursBody | None

    def preferences(self) -> Preferences:
        wanted = self.appointments.wanted(Kind.APPOINTMENTS) | self.reminders.wanted(Kind.REMINDERS)
        return Preferences(frozenset(wanted), self.quiet_hours.quiet_hours() if self.quiet_hours else None)


class PreferencesResponse(Response):
    """The caller's choices, or the usual ones."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_PREFERENCES, "revision": 1}]})

    appointments: ChannelsBody
    reminders: ChannelsBody
    quiet_hours: QuietHoursBody | None
    revision: int = Field(description="Counts the changes; 0 while nothing was chosen.")

    @classmethod
    def of(cls, preferences: Preferences) -> Self:
        return cls(
            appointments=ChannelsBody.of(preferences, Kind.APPOINTMENTS),
            reminders=ChannelsBody.of(preferences, Kind.REMINDERS),
            quiet_hours=QuietHoursBody.of(preferences.quiet_hours) if preferences.quiet_hours else None,
            revision=preferences.revision,
        )


class PhoneRequest(Request):
    """Where SMS go."""

    number: PhoneNumber


class PhoneResponse(Response):
    """Where SMS go."""

    number: PhoneNumber


class PushKeysRequest(Request):
    """The browser's half of what push messages are sealed with."""

    p256dh: Annotated[str, Field(alias="p256dh"), StringConstraints(max_length=100), AfterValidator(_point)]
    auth: Annotated[str, StringConstraints(max_length=40), AfterValidator(_auth)]


class PushSubscriptionRequest(Request):
    """A PushSubscription as `JSON.stringify` writes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABk",
                    "expirationTime": None,
                    "keys": {
                        "p256dh": "BNNL5ZaTfK81qhXOx23-wewhigUeFb632jN6LvRWCFH1ubQr77FE_9qV1FuojuRmHP42zmf34rXgW80OvUVDgTk",
                        "auth": "zqbxT6JKstKSY9JKibZLSQ",
                    },
                }
            ]
        }
    )

    endpoint: Annotated[str, StringConstraints(min_length=10, max_length=1000, pattern=r"^https?://[\x21-\x7e]+$")]
    expiration_time: int | None = Field(default=None, description="What some browsers send; it is not looked at.")
    keys: PushKeysRequest

    def address(self) -> PushAddress:
        return PushAddress(self.endpoint, self.keys.p256dh, self.keys.auth)


class PushSubscriptionResponse(Response):
    """A browser that gets push messages; `service` is the host of its push service, for people to tell browsers apart."""

    id: UUID
    service: str = Field(examples=["updates.push.services.mozilla.com"])
    created_at: datetime

    @classmethod
    def of(cls, subscription: PushSubscription) -> Self:
        return cls(id=subscription.id, service=subscription.service, created_at=subscription.created_at)


class PushSubscriptionsResponse(Response):
    """All of them, the oldest first."""

    items: list[PushSubscriptionResponse]
    public_key: str | None = Field(description="Give it as `applicationServerKey`; null where push is not offered.")

    @classmethod
    def of(cls, subscriptions: Sequence[PushSubscription], public_key: str | None) -> Self:
        return cls(items=[PushSubscriptionResponse.of(each) for each in subscriptions], public_key=public_key)


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
