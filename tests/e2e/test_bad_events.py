"""Broken bytes, unknown types and unknown versions on every topic: parked or skipped, and everybody goes on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from tests.e2e.kafka_log import read, write
from tests.e2e.people import Practice, book, eventually, invoice_of

from bloom_events.auth import TherapistVerified
from bloom_events.envelope import to_kafka, wrap
from bloom_events.ids import TenantId, UserId
from bloom_events.topics import TOPICS, Topic, dead_letter
from local_stack.services import http_status

if TYPE_CHECKING:
    from local_stack.stack import Stack

Broken = tuple[bytes | None, dict[str, bytes]]


def headers_of(kind: str, **changes: bytes | None) -> dict[str, bytes]:
    """The headers of an event as the platform writes them, with some changed or (None) left out."""
    whole = {
        "ce_specversion": b"1.0",
        "ce_id": str(uuid4()).encode(),
        "ce_type": kind.encode(),
        "ce_source": b"/bloom/nobody",
        "ce_subject": str(uuid4()).encode(),
        "ce_time": b"2026-03-02T09:00:00Z",
        "ce_tenantid": str(uuid4()).encode(),
        "ce_correlationid": str(uuid4()).encode(),
        "content-type": b"application/json",
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def unreadable(marker: bytes) -> Iterator[Broken]:
    """Records that claim to be events and are none."""
    yield b"\xff\xfe\x00\x80" + marker, {}
    yield b'{"half": "' + marker, headers_of("appointment.booked.v1")
    yield json.dumps({"marker": marker.decode(), "appointment_id": 7}).encode(), headers_of("appointment.booked.v1")
    yield json.dumps({"marker": marker.decode()}).encode(), headers_of("therapist.verified.v1", ce_tenantid=b"'; drop table")
    yield json.dumps({"marker": marker.decode()}).encode(), headers_of("user.suspended.v1", ce_time=None)
    yield b"[" * 4_000 + marker, headers_of("appointment.completed.v1", ce_specversion=b"9.9")
    yield json.dumps({"marker": marker.decode()}).encode(), headers_of("x" * 2_000)
    yield None, headers_of("appointment.booked.v1", marker=marker)


def unknown(marker: bytes) -> Iterator[Broken]:
    """Records of types and versions that nobody here knows (yet)."""
    for kind in ("appointment.booked.v99", "weather.changed.v1"):
        yield json.dumps({"marker": marker.decode()}).encode(), headers_of(kind)


def parked(platform: "Stack", topic: Topic, consumer: str, marker: bytes) -> list[bytes | None]:
    """The broken records of a topic that a consumer has parked."""
    letters = read(platform.kafka.bootstrap, [dead_letter(topic, consumer)])
    found = [one for one in letters if one.header("dlq_topic") == topic.name]
    return [one.value for one in found if marker in (one.value or b"") or one.headers.get("marker") == marker]


@pytest.fixture(scope="module")
def marker(platform: "Stack", practice: Practice) -> bytes:
    """A mark that all broken records carry; they lie on every topic, dead letters too, when this is there."""
    marker = f"broken-{uuid4().hex}".encode()
    for topic in TOPICS:
        for value, headers in (*unreadable(marker), *unknown(marker)):
            write(platform.kafka.bootstrap, topic.name, value, headers)
        for consumer in topic.consumers:
            write(platform.kafka.bootstrap, dead_letter(topic, consumer).name, b"\x00 nobody parked this", {})
            eventually(lambda at=topic, by=consumer: len(parked(platform, at, by, marker)) >= len(list(unreadable(marker))))
        # A worker stops after twenty parked in a row, which is another story: everybody handles what comes of this.
        practice.patient()
    return marker


@pytest.mark.promise("PL18")
@pytest.mark.parametrize(
    ("topic", "consumer"),
    [(topic, consumer) for topic in TOPICS for consumer in topic.consumers],
    ids=lambda each: getattr(each, "name", each),
)
def test_the_dead_letters_hold_exactly_what_could_not_be_read(
    platform: "Stack", marker: bytes, topic: Topic, consumer: str
) -> None:
    wanted = [value for value, _ in unreadable(marker)]
    assert sorted(parked(platform, topic, consumer, marker), key=str) == sorted(wanted, key=str)
    letters = read(platform.kafka.bootstrap, [dead_letter(topic, consumer)])
    reasons = {one.header("dlq_reason").split(":")[0] for one in letters if one.header("dlq_topic")}
    assert reasons == {"unreadable"}


@pytest.mark.promise("PL18")
@pytest.mark.promise("PL20")
def test_the_workers_go_on_behind_the_broken_records(practice: Practice, marker: bytes) -> None:
    therapist, patient = practice.therapist("Dr. Still Heard"), practice.patient()
    appointment = book(patient, therapist)
    assert eventually(lambda: invoice_of(patient, appointment["id"]))["status"] == "draft"
    workers = [process for name, process in practice.stack.services.items() if name.endswith(("worker", "relay"))]
    assert [http_status(process.port, "/health/ready") for process in workers] == [200] * len(workers)


def test_a_well_formed_event_for_a_tenant_that_nobody_knows_changes_nothing_here(practice: Practice, platform: "Stack") -> None:
    patient, impostor = practice.patient(), uuid4()
    event = TherapistVerified(user_id=UserId(impostor), display_name="Dr. Not Ours")
    told = wrap(event, source="/bloom/auth", tenant_id=TenantId(uuid4()), time=datetime.now(UTC), correlation_id=uuid4())
    message = to_kafka(told)
    write(platform.kafka.bootstrap, message.topic, message.value, dict(message.headers), key=message.key)
    practice.therapist("Dr. After That")

    assert patient.ask("GET", f"/api/therapists/{impostor}").status_code == 404
    assert not [each for each in patient.get("/api/therapists?limit=100")["items"] if each["displayName"] == "Dr. Not Ours"]
