"""One platform for all stories, told in an order in which the first visit can begin while the others are told."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.e2e.people import Practice, Visit, booking_of, free_slots, open_calendar, soon

if TYPE_CHECKING:
    from local_stack.stack import Stack

# A visit cannot be completed before it has begun, so it is booked first and billed late; what was left behind is read at last.
ORDER = [
    "patient_flow", "administrator_flow", "therapist_flow", "sessions", "chat", "visit_mails", "crisis", "one_trace",
    "bad_requests", "bad_tokens", "bad_events", "degradation", "scored_messages", "crisis_degradation", "billed_visit", "tenants",
    "taint", "privacy", "restore",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the stories into their order; the other tests of the run stay where they are."""
    places = [place for place, item in enumerate(items) if item.path.parent.name == "e2e"]
    stories = sorted((items[place] for place in places), key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))
    for place, item in zip(places, stories, strict=True):
        items[place] = item
        # The first one's time begins with the start of the platform, which takes minutes on a machine that is busy.
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def private() -> set[str]:
    """Addresses, names, passwords and tokens of these stories."""
    return set()


@pytest.fixture(scope="session")
def practice(platform: "Stack", private: set[str]) -> Practice:
    """The tenant of these stories."""
    return Practice.opened(platform, private)


@pytest.fixture(scope="session")
def elsewhere(platform: "Stack", private: set[str]) -> Practice:
    """Another tenant of the same platform."""
    return Practice.opened(platform, private)


@pytest.fixture(scope="session")
def visit(practice: Practice) -> Visit:
    """A visit that begins at the next full minute: a patient has signed up, completed the profile and booked it."""
    patient, therapist = practice.newcomer(), practice.therapist("Dr. Kim Reed", hours=[])
    patient.register("PATIENT")
    assert patient.sign_in().status_code == 200
    profile = {"displayName": practice.private_name(), "locale": "en-GB", "timeZone": "Europe/Vienna"}
    patient.change("PATCH", "/api/users/me", profile)
    zone, starts, hours = soon(datetime.now(UTC))
    open_calendar(therapist, hours, zone=zone)
    (slot,) = free_slots(patient, therapist, starts=starts)
    booked = patient.post("/api/appointments", booking_of(therapist, slot))["appointment"]
    return Visit(practice, patient, therapist, booked["id"], starts)
