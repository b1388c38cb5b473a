"""Ways in which what somebody asks about their notifications is refused."""

from __future__ import annotations

from service_kit.errors import Problem


class LinkNotValid(Problem):
    """The token of an unsubscribe link was not made here."""

    slug, status, title = "link-not-valid", 404, "This link is not valid"


class PhoneNotFound(Problem):
    """The caller has told no phone number."""

    slug, status, title = "phone-not-found", 404, "There is no phone number"


class PushNotOffered(Problem):
    """This installation has no key to sign push messages with."""

    slug, status, title = "push-not-offered", 409, "Push messages are not offered here"


class PushServiceNotAllowed(Problem):
    """The endpoint lies at no push service that messages are sent to: it would make this service call any address."""

    slug, status, title = "push-service-not-allowed", 422, "The endpoint is at no known push service"


class SubscriptionNotFound(Problem):
    """The caller has no such push subscription."""

    slug, status, title = "subscription-not-found", 404, "There is no such push subscription"
