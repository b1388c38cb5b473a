"""Every business refusal about alerts, one class for each outcome."""

from __future__ import annotations

from service_kit.errors import NotFound, Problem


class AlertNotFound(NotFound):
    """No such alert, or the caller was never called about it: the answer is the same."""

    slug, title = "alert-not-found", "There is no such alert"


class AlertAlreadyAcknowledged(Problem):
    """Somebody else has answered already."""

    slug, status, title = "alert-already-acknowledged", 409, "Somebody else has acknowledged this alert"


class AlertNotAcknowledged(Problem):
    """Nobody has answered yet, so there is nothing to hand over or to resolve: acknowledge first."""

    slug, status, title = "alert-not-acknowledged", 409, "This alert has not been acknowledged"


class AlertAlreadyResolved(Problem):
    """It is over; a further message raises another alert."""

    slug, status, title = "alert-already-resolved", 409, "This alert is resolved"


class NobodyToHandOverTo(Problem):
    """Apart from whoever hands it over nobody at that step can be called."""

    slug, status, title = "nobody-to-hand-over-to", 409, "There is nobody there to hand the alert over to"


class PersonCannotBeCalled(Problem):
    """A named account is unknown here, suspended, not verified yet, or a patient's."""

    slug, status, title = "person-cannot-be-called", 409, "A person named here cannot be called"
