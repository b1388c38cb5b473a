"""What callers get."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from auth.domain.invitations import Invitation
from auth.domain.users import User, UserStatus
from auth.schemas.fields import ResponseBody
from auth.use_cases.administration import Counts
from auth.use_cases.sign_in import SignedIn
from bloom_events.auth import Role


class UserResponse(ResponseBody):
    """One user, as the user and administrators see them."""

    id: UUID = Field(examples=["0198c1de-7a52-7d3e-9f8b-2f6f0f3c9a01"])
    email: str = Field(examples=["robin@example.test"])
    role: Role = Field(examples=["PATIENT"])
    status: UserStatus = Field(examples=["active"])
    display_name: str | None = Field(examples=["Robin Vale"])
    locale: str | None = Field(examples=["en-GB"])
    time_zone: str | None = Field(examples=["Europe/Vienna"])
    profile_complete: bool = Field(description="Whether display name, locale and time zone are all known.", examples=[True])
    verified_at: datetime | None = Field(examples=[None])
    created_at: datetime = Field(examples=["2026-03-02T09:30:00Z"])

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            role=user.role,
            status=user.status,
            display_name=user.profile.display_name,
            locale=user.profile.locale,
            time_zone=user.profile.time_zone,
            profile_complete=user.profile.is_complete,
            verified_at=user.verified_at,
            created_at=user.created_at,
        )


class ContactResponse(ResponseBody):
    """How somebody is reached, and in which language; for services, never for people."""

    email: str
    role: Role
    status: UserStatus
    display_name: str | None
    locale: str | None
    time_zone: str | None
    revision: int

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(
            email=user.email,
            role=user.role,
            status=user.status,
            display_name=user.profile.display_name,
            locale=user.profile.locale,
            time_zone=user.profile.time_zone,
            revision=user.revision,
        )


class SignedInResponse(ResponseBody):
    """An access token for the `Authorization` header; the refresh token is in a cookie that pages cannot read.

    The names of the token's fields are those of OAuth (RFC 6749, 5.1), which clients know.
    """

    access_token: str = Field(alias="access_token", examples=["eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl"])
    token_type: Literal["Bearer"] = Field(default="Bearer", alias="token_type")  # a scheme's name, not a secret
    expires_in: int = Field(alias="expires_in", description="Seconds.", examples=[600])
    csrf_token: str = Field(
        alias="csrf_token",
        description="To be sent as `X-CSRF-Token` with every request that uses the cookie.",
        examples=["m1rZ0n2VQkq0u2l4b3F6c1R2dXc0eGF5ejEyMzQ1Njc"],
    )
    user: UserResponse

    @classmethod
    def of(cls, signed_in: SignedIn, *, expires_in: int) -> Self:
        return cls(
            access_token=signed_in.access_token,
            expires_in=expires_in,
            csrf_token=signed_in.csrf_token,
            user=UserResponse.of(signed_in.user),
        )


class SessionsEndedResponse(ResponseBody):
    """How many sessions came to their end."""

    ended: int = Field(examples=[3])


class InvitationRecord(ResponseBody):
    """An invitation without its token: what is kept for a repeated request."""

    id: UUID = Field(examples=["0198c1de-7a52-7d3e-9f8b-2f6f0f3c9a02"])
    expires_at: datetime = Field(examples=["2026-03-09T09:30:00Z"])

    @classmethod
    def of(cls, invitation: Invitation) -> "InvitationRecord":
        return InvitationRecord(id=invitation.id, expires_at=invitation.expires_at)


class InvitationResponse(InvitationRecord):
    """An invitation to hand to the therapist; the token works once, for the invited address."""

    token: str = Field(examples=["AZjB3npSfT6fiy9vDzyaAQ"])


class CountsResponse(ResponseBody):
    """Users of the organisation and their live sessions."""

    total: int = Field(examples=[128])
    by_role: dict[Role, int] = Field(examples=[{"PATIENT": 112, "THERAPIST": 14, "ADMINISTRATOR": 2}])
    created_last_7_days: int = Field(examples=[9])
    active_sessions: int = Field(examples=[41])

    @classmethod
    def of(cls, counts: Counts) -> Self:
        users = counts.users
        return cls(
            total=users.total,
            by_role=users.by_role,
            created_last_7_days=users.created_since,
            active_sessions=counts.active_sessions,
        )


class Jwk(ResponseBody):
    """A public Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"
    kid: str = Field(examples=["8sJk2mQbVt0xYw3R"])
    x: str = Field(examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])


class JwksResponse(ResponseBody):
    """The keys that verify access tokens: those in use, those whose tokens are still alive, and the next one."""

    keys: list[Jwk]
