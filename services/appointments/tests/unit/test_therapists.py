"""A therapist's entry: how it begins, changes, and whom it lets book."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from appointments.domain.outcomes import NotAcceptingNewPatients
from appointments.domain.therapists import Therapist, is_time_zone
from bloom_events.ids import TherapistId


def new_therapist() -> Therapist:
    return Therapist.verified(TherapistId(uuid4()), "Dr. Robin Vale")[0]


@pytest.mark.promise("US4")
def test_a_new_therapist_takes_no_new_patients_until_they_say_so() -> None:
    therapist = new_therapist()
    with pytest.raises(NotAcceptingNewPatients):
        therapist.must_take(is_known_patient=False)
    therapist.must_take(is_known_patient=True)
    accepting, event = therapist.change_profile(replace(therapist.profile, accepts_new_patients=True))
    accepting.must_take(is_known_patient=False)
    assert event is not None
    assert event.accepts_new_patients is True


def test_a_change_counts_the_revision_and_a_change_to_the_same_does_not() -> None:
    therapist = new_therapist()
    changed, event = therapist.change_profile(replace(therapist.profile, time_zone="Europe/Berlin"))
    assert (changed.revision, event and event.time_zone) == (2, "Europe/Berlin")
    assert changed.change_profile(changed.profile) == (changed, None)
    assert changed.change_hours().revision == 3


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Europe/Berlin", True),
        ("UTC", True),
        ("America/Argentina/Ushuaia", True),
        ("Mars/Olympus", False),
        ("localtime", False),
        ("", False),
        ("../etc/passwd", False),
        ("EST5EDT", False),
    ],
)
def test_only_zones_that_name_a_place_are_time_zones(name: str, known: bool) -> None:
    assert is_time_zone(name) is known
