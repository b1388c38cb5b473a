"""The ways in which auth says no, each with its problem type."""

from typing import ClassVar

from service_kit.errors import Problem


class InvalidCredentials(Problem):
    """The one answer to an unknown address, a wrong password, a locked and a suspended account."""

    slug: ClassVar[str] = "invalid-credentials"
    status: ClassVar[int] = 401
    title: ClassVar[str] = "The e-mail address or the password is not right"


class RefreshRefused(Problem):
    """The one answer to a missing, forged, expired, revoked or reused refresh token."""

    slug: ClassVar[str] = "session-ended"
    status: ClassVar[int] = 401
    title: ClassVar[str] = "Please sign in again"


class CrossSiteRequest(Problem):
    """A request on the session cookie did not prove that it came from our own pages."""

    slug: ClassVar[str] = "cross-site-request"
    status: ClassVar[int] = 403
    title: ClassVar[str] = "The request could not be traced to this application"


class EmailAlreadyRegistered(Problem):
    """Somebody of this tenant already has the address; docs/decisions says why that is told."""

    slug: ClassVar[str] = "email-already-registered"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This e-mail address already has an account"


class WeakPassword(Problem):
    """The password does not meet the policy."""

    slug: ClassVar[str] = "weak-password"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "Please choose another password"


class InvitationNotUsable(Problem):
    """The one answer to a forged, unknown, expired or used invitation, and to one made for another address."""

    slug: ClassVar[str] = "invitation-not-usable"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "The invitation cannot be used"


class UnknownTenant(Problem):
    """No tenant has this short name."""

    slug: ClassVar[str] = "unknown-tenant"
    status: ClassVar[int] = 404
    title: ClassVar[str] = "There is no such organisation"


class TenantAlreadyExists(Problem):
    """The short name is taken."""

    slug: ClassVar[str] = "tenant-already-exists"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This short name is taken"


class NotPendingVerification(Problem):
    """Only a therapist who waits for it can be verified."""

    slug: ClassVar[str] = "not-pending-verification"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This person does not wait for verification"


class AlreadySuspended(Problem):
    """The user is suspended already."""

    slug: ClassVar[str] = "already-suspended"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This person is already suspended"


class NotSuspended(Problem):
    """Only a suspended user can be reinstated."""

    slug: ClassVar[str] = "not-suspended"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "This person is not suspended"


class OwnAccount(Problem):
    """Administrators cannot suspend themselves, so that a tenant never locks itself out."""

    slug: ClassVar[str] = "own-account"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "You cannot suspend your own account"
