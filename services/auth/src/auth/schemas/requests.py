"""What callers send; unknown fields are refused."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from auth.domain.users import Profile
from auth.schemas.fields import DisplayName, Email, Locale, PasswordText, RequestBody, TenantSlug, TimeZone


class RegisterRequest(RequestBody):
    """A patient is active at once; a therapist by invitation is too, and waits for verification otherwise."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"role": "PATIENT", "email": "robin@example.test", "password": "correct horse battery staple"},
                {
                    "role": "THERAPIST",
                    "email": "kim@example.test",
                    "password": "correct horse battery staple",
                    "displayName": "Dr. Kim Reed",
                },
            ]
        }
    )

    role: Literal["PATIENT", "THERAPIST"] = "PATIENT"
    email: Email
    password: PasswordText
    tenant: TenantSlug | None = Field(default=None, description="The organisation's short name; left out for the default one.")
    display_name: DisplayName | None = Field(default=None, description="Required of therapists: patients see it.")
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    invitation_token: str | None = Field(default=None, max_length=200, description="A therapist's invitation.")

    @model_validator(mode="after")
    def _fits_the_role(self) -> Self:
        if self.role == "THERAPIST" and self.display_name is None:
            raise ValueError("a therapist needs a displayName")
        if self.role != "THERAPIST" and self.invitation_token is not None:
            raise ValueError("invitations are for therapists")
        return self

    @property
    def profile(self) -> Profile:
        return Profile(display_name=self.display_name, locale=self.locale, time_zone=self.time_zone)


class SignInRequest(RequestBody):
    """Who somebody says they are."""

    email: Email
    password: PasswordText
    tenant: TenantSlug | None = Field(default=None, description="The organisation's short name; left out for the default one.")


class ChangePasswordRequest(RequestBody):
    """The password as it is and as it should be."""

    current_password: PasswordText
    new_password: PasswordText


class InviteTherapistRequest(RequestBody):
    """Whom to invite; only this address can use the invitation."""

    email: Email


def _left_out() -> str:
    return ""


class ProfileChanges(RequestBody):
    """The fields that should change; those left out stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"displayName": "Robin Vale", "timeZone": "Europe/Vienna"}]})

    # A factory keeps "left out" out of the published schema, where null is no way to say it.
    display_name: DisplayName = Field(default_factory=_left_out)
    locale: Locale = Field(default_factory=_left_out)
    time_zone: TimeZone = Field(default_factory=_left_out)

    @property
    def named(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)
