"""Events of auth: accounts and their sessions."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from bloom_events.event import Event, PlainText, Revision, UtcTime
from bloom_events.ids import SessionId, UserId
from bloom_events.topics import SESSIONS, USERS, Topic


class Role(StrEnum):
    """What an account is for; it has exactly one."""

    PATIENT = "PATIENT"
    THERAPIST = "THERAPIST"
    ADMINISTRATOR = "ADMINISTRATOR"


class UserEvent(Event):
    """Something that happened to an account."""

    TOPIC: ClassVar[Topic] = USERS
    KEY: ClassVar[str] = "user_id"

    user_id: UserId
    """The account."""


class UserRegistered(UserEvent):
    """Somebody has an account; a therapist's may still wait for verification."""

    TYPE: ClassVar[str] = "user.registered.v1"

    role: Role
    """The role it was registered for."""
    status: Literal["active", "pending_verification"]
    """Whether it may be used already."""


class TherapistVerified(UserEvent):
    """A therapist may practise from now on, under this name."""

    TYPE: ClassVar[str] = "therapist.verified.v1"

    display_name: PlainText
    """The name under which the therapist practises, as the directory shows it."""


class UserSuspended(UserEvent):
    """An account may no longer be used; its sessions end."""

    TYPE: ClassVar[str] = "user.suspended.v1"

    role: Role
    """The account's role."""


class UserReinstated(UserEvent):
    """A suspended account may be used again."""

    TYPE: ClassVar[str] = "user.reinstated.v1"

    role: Role
    """The account's role."""


class UserProfileChanged(UserEvent):
    """What an account says about its owner changed; those who may know it ask auth for it."""

    TYPE: ClassVar[str] = "user.profile-changed.v1"

    revision: Revision
    """The account's revision after the change."""


class SessionEvent(Event):
    """Something that happened to a session."""

    TOPIC: ClassVar[Topic] = SESSIONS
    KEY: ClassVar[str] = "session_id"

    session_id: SessionId
    """The session: one sign-in with all its refreshed tokens."""
    user_id: UserId
    """The account that signed in."""


class SessionStarted(SessionEvent):
    """Somebody signed in."""

    TYPE: ClassVar[str] = "session.started.v1"

    role: Role
    """The role that the session's tokens carry."""
    expires_at: UtcTime
    """When the session ends if nobody revokes it."""


class SessionRevoked(SessionEvent):
    """A session ended before its time; open connections of it must be cut."""

    TYPE: ClassVar[str] = "session.revoked.v1"

    reason: Literal["signed_out", "signed_out_everywhere", "reuse_detected", "suspended", "password_changed"]
    """Why it ended; `reuse_detected` means that a refresh token was presented twice."""


EVENTS: tuple[type[Event], ...] = (
    UserRegistered,
    TherapistVerified,
    UserSuspended,
    UserReinstated,
    UserProfileChanged,
    SessionStarted,
    SessionRevoked,
)
