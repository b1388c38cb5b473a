"""Rules that every event class keeps, and what its fields accept."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from asyncpg.pgproto import pgproto
from pydantic import ValidationError

from bloom_events import ids
from bloom_events.appointments import AppointmentBooked, TherapistProfileChanged, VisitType
from bloom_events.auth import Role, SessionRevoked, UserSuspended
from bloom_events.billing import InvoiceDiscarded, InvoiceDrafted, InvoiceVoided
from bloom_events.event import Event
from bloom_events.ids import AppointmentId, InvoiceId, PatientId, SessionId, TherapistId, UserId, new_id
from bloom_events.registry import EVENT_TYPES

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


def below(parent: type[Event]) -> Iterator[type[Event]]:
    for child in parent.__subclasses__():
        yield child
        yield from below(child)


def booked(**changes: object) -> AppointmentBooked:
    fields = {
        "appointment_id": AppointmentId(new_id()),
        "revision": 1,
        "patient_id": PatientId(new_id()),
        "therapist_id": TherapistId(new_id()),
        "visit_type": VisitType.STANDARD,
        "starts_at": NOON,
        "ends_at": NOON + timedelta(minutes=50),
    }
    return AppointmentBooked.model_validate(fields | changes)


def drafted(**changes: object) -> InvoiceDrafted:
    fields = {
        "invoice_id": InvoiceId(new_id()),
        "appointment_id": AppointmentId(new_id()),
        "patient_id": PatientId(new_id()),
        "therapist_id": TherapistId(new_id()),
        "currency": "EUR",
        "net_minor": 10_000,
        "tax_minor": 2_300,
        "total_minor": 12_300,
    }
    return InvoiceDrafted.model_validate(fields | changes)


def test_every_event_class_of_the_library_is_registered():
    here = {event for event in below(Event) if event.__module__.startswith("bloom_events.") and "TYPE" in vars(event)}
    assert here == set(EVENT_TYPES.values())


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=lambda event: event.TYPE)
def test_a_wire_type_is_a_literal_with_a_version_on_a_class_named_alike(event):
    assert re.fullmatch(r"[a-z-]+\.[a-z-]+\.v[1-9]", vars(event)["TYPE"])
    words = re.sub(r"\.v1$", "", event.TYPE).replace(".", " ").replace("-", " ").title().replace(" ", "")
    assert event.__name__ == words


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=lambda event: event.TYPE)
def test_every_event_and_every_field_says_what_it_means(event):
    assert event.__doc__
    undocumented = [name for name, field in event.model_fields.items() if not field.description]
    assert undocumented == []


@pytest.mark.parametrize("event", EVENT_TYPES.values(), ids=lambda event: event.TYPE)
def test_the_key_of_an_event_is_a_required_uuid(event):
    assert event.model_fields[event.KEY].is_required()
    assert event.model_json_schema()["properties"][event.KEY]["format"] == "uuid"


def test_the_aggregate_of_an_event_is_what_its_key_field_holds():
    appointment_id = AppointmentId(new_id())
    assert booked(appointment_id=appointment_id).aggregate_id == appointment_id


def test_an_event_cannot_be_changed():
    event = booked()
    with pytest.raises(ValidationError):
        event.revision = 2
    assert event.revision == 1


def test_times_are_held_in_utc_whatever_offset_they_came_with():
    lisbon_summer = timezone(timedelta(hours=1))
    event = booked(starts_at=datetime(2026, 7, 1, 15, tzinfo=lisbon_summer))
    assert event.starts_at == datetime(2026, 7, 1, 14, tzinfo=UTC)
    assert event.starts_at.tzinfo is UTC


@pytest.mark.parametrize("moment", [datetime(2026, 7, 1, 15), datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))])  # noqa: DTZ001  # naive on purpose
def test_a_naive_time_and_one_outside_the_calendar_are_refused(moment):
    with pytest.raises(ValidationError):
        booked(starts_at=moment)


@pytest.mark.parametrize("revision", [0, -1, 2**31])
def test_revisions_count_from_one_and_fit_a_database_integer(revision):
    with pytest.raises(ValidationError):
        booked(revision=revision)


@pytest.mark.parametrize(
    "changes", [{"net_minor": -1}, {"total_minor": 2**53}, {"tax_minor": 0.5}, {"currency": "eur"}, {"currency": "EURO"}]
)
def test_money_is_whole_minor_units_of_a_currency(changes):
    with pytest.raises(ValidationError):
        drafted(**changes)


@pytest.mark.parametrize("name", ["", "a\x00b", "a\nb", "a\x7fb", "x" * 201])
def test_a_line_of_text_holds_no_control_characters_and_has_an_end(name):
    with pytest.raises(ValidationError):
        TherapistProfileChanged(
            therapist_id=TherapistId(new_id()), display_name=name, accepts_new_patients=True, time_zone="Europe/Lisbon"
        )


@pytest.mark.parametrize("reason", ["Robin asked for it", "", "a\nb", "Ä"])
def test_the_reason_of_a_void_invoice_is_a_code_and_no_sentence_about_a_person(reason):
    priced = drafted().model_dump()
    with pytest.raises(ValidationError):
        InvoiceVoided(**priced, reason=reason)
    assert InvoiceVoided(**priced, reason="issued_in_error").number is None


def test_the_reason_of_a_revoked_session_is_one_of_those_listed():
    with pytest.raises(ValidationError):
        SessionRevoked.model_validate({"session_id": SessionId(new_id()), "user_id": UserId(new_id()), "reason": "bored"})


def test_ids_of_the_database_driver_are_taken_as_they_are():
    driver_id = pgproto.UUID(str(uuid4()))
    event = UserSuspended(user_id=UserId(driver_id), role=Role.PATIENT)
    assert str(event.aggregate_id) == str(driver_id)


def test_fresh_ids_are_uuids_of_version_7_in_the_order_they_were_made():
    fresh = [new_id() for _ in range(1_000)]
    assert {(type(each), each.version) for each in fresh} == {(UUID, 7)}
    assert fresh == sorted(set(fresh))


def test_every_kind_of_id_has_a_type_of_its_own():
    kinds = {name for name in vars(ids) if name.endswith("Id") and name != "NewType"}
    assert {"TenantId", "UserId", "PatientId", "TherapistId", "AppointmentId", "InvoiceId", "EventId"} <= kinds


def test_a_discarded_draft_carries_no_amounts():
    assert set(InvoiceDiscarded.model_fields) == {"invoice_id", "appointment_id", "patient_id"}
