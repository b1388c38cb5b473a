"""Whatever people and other services say stays where it belongs: no log, trace, metric, refusal or dead letter repeats it."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e import leaky_api, taint
from tests.e2e.care import CALM, Care, line_of
from tests.e2e.kafka_log import Lying, read
from tests.e2e.people import Practice, book, eventually, free_slots, invoice_of
from tests.e2e.planted_events import Planted, planted_attributes, planted_events, send
from tests.e2e.planted_requests import Requests
from tests.e2e.taint import Marks
from tests.e2e.traces import Told, booking, crisis, invitation

from bloom_events.topics import TOPICS, Topic, dead_letter
from local_stack.ports import free_port
from local_stack.process import ChildProcess, wait_until
from local_stack.services import http_status
from local_stack.span_sink import SpanSink
from local_stack.stack import Stack
from service_kit.consuming import LogRecord
from service_kit.dead_letters import DeadLetters

# Through these a mark has to have come into the platform, or the search that follows would find nothing for a wrong reason.
TAKEN_IN = {
    "PATCH /api/users/me", "PATCH /api/messages/{message_id}", "POST /v1/predict", "POST /api/alerts/{alert_id}/resolve",
    "POST /api/conversations",
}  # fmt: skip


@pytest.fixture(scope="module")
def marks() -> Marks:
    return Marks()


@pytest.fixture(scope="module")
def asked(elsewhere: Practice, marks: Marks) -> Requests:
    """Every operation was asked with marks by a patient, a therapist and an administrator, and by somebody whose token is one."""
    care = Care.of(elsewhere)
    requests = Requests(marks, known_to(care))
    people = [care.patient, care.therapist, elsewhere.administrator]
    care.patient.post("/api/messages", {"conversationId": care.conversation, "body": marks.new("a message")})
    care.therapist.change("PATCH", "/api/therapists/me", {"displayName": marks.new("a therapist's name")})
    newcomer = elsewhere.newcomer()
    newcomer.email, newcomer.password = f"{marks.new('an address')}@example.test", f"{marks.new('a password')} and more"
    newcomer.register("PATIENT")
    with httpx.Client(base_url=elsewhere.stack.gateway.url, timeout=30, trust_env=False) as client:
        token = marks.new("the token itself")
        refused = client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
        requests.leaks |= marks.in_text("refused token", refused.text)
        assert refused.status_code == 401
        requests.ask_everything(client, people)
    return requests


def known_to(care: Care) -> dict[str, object]:
    """What exists, by the names under which requests speak of it."""
    appointment = book(care.patient, care.therapist)
    message = care.patient.post("/api/messages", {"conversationId": care.conversation, "body": CALM})["message"]
    told = crisis(care)
    invoice = eventually(lambda: invoice_of(care.patient, appointment["id"]))
    (slot, *_) = free_slots(care.patient, care.therapist, starts=taint.in_two_days())
    return {
        "therapistId": care.therapist.id, "therapist_id": care.therapist.id, "patientId": care.patient.id,
        "conversationId": care.conversation, "conversation_id": care.conversation, "message_id": message["id"],
        "appointment_id": appointment["id"], "invoice_id": invoice["id"], "alert_id": told.ids["alert"], **slot,
        "tenant": care.practice.tenant, "role": "PATIENT", "timeZone": "Europe/Vienna", "locale": "en-GB",
        "visitType": "standard",
    }  # fmt: skip


@pytest.fixture(scope="module")
def told(practice: Practice, marks: Marks) -> dict[str, list[Planted]]:
    """Events of every type with marks lie on their topics, by topic; what could not be read is parked."""
    stack, by_topic = practice.stack, dict[str, list[Planted]]()
    for record in planted_events(marks):
        by_topic.setdefault(record.topic, []).append(record)
    kinds = {record.topic: dict(record.headers)["ce_type"].decode() for records in by_topic.values() for record in records}
    for topic, records in by_topic.items():
        records.append(planted_attributes(marks, kinds[topic]))
        send(stack.kafka.bootstrap, records)
        for consumer in next(each for each in TOPICS if each.name == topic).consumers:
            eventually(lambda at=topic, by=consumer, wanted=records: is_parked(stack, at, by, wanted))
        # A worker stops after twenty parked in a row: everybody handles what comes of this.
        practice.patient()
    return by_topic


def is_parked(stack: Stack, topic: str, consumer: str, records: list[Planted]) -> bool:
    """Whether a consumer has parked everything of these that nobody can read."""
    values = {letter.value for letter in letters_of(stack, topic, consumer)}
    return values >= {record.value for record in records if not record.is_readable}


def letters_of(stack: Stack, topic: str, consumer: str) -> list[Lying]:
    """What a consumer has parked of a topic."""
    row = next(each for each in TOPICS if each.name == topic)
    return read(stack.kafka.bootstrap, [dead_letter(row, consumer)])


@pytest.fixture(scope="module")
def everything(
    asked: Requests, told: dict[str, list[Planted]], practice: Practice, marks: Marks, span_sink: SpanSink
) -> Requests:
    """Marks were planted in requests, events and what pages say, and every process has exported its spans of that."""
    assert told
    care = Care.of(practice)
    with line_of(care.therapist) as line:
        for event, fields in {
            "join": ["conversationId"],
            "resume": ["conversationId", "after"],
            "typing": ["conversationId"],
            "read": ["conversationId", "sequence"],
            "alert-seen": ["alertId"],
            marks.new("name of a page's event"): ["anything"],
        }.items():
            answer = line.tell(event, {name: marks.new(f"page: {event}.{name}") for name in fields})
            assert not answer["ok"]
            asked.leaks |= marks.in_text("answer to a page", json.dumps(answer))
    await_spans(practice, span_sink, [booking(practice), crisis(care), invitation(practice)])
    return asked


def await_spans(practice: Practice, sink: SpanSink, stories: list[Told]) -> None:
    """Wait for a span of these stories from every process: each exports its spans in their order, so all before are there too."""
    services = practice.stack.services
    for name in services:
        if name.endswith("-api"):
            httpx.get(f"http://{services[name].address}/health/live", headers=stories[0].header, trust_env=False)
    traces = {story.trace_id for story in stories}

    def heard_of() -> set[str]:
        return {span.process for span in sink.spans() if {span.trace_id, *span.links} & traces}

    # The lake has no spans at all, and the relay of analytics sends results that belong to no single request.
    wanted = services.keys() - {"analytics-lake", "analytics-relay"}
    eventually(lambda: wanted <= heard_of(), limit_seconds=90.0)


@pytest.mark.promise("SE6")
def test_marks_came_into_every_service_and_nothing_of_them_broke_one(everything: Requests) -> None:
    assert TAKEN_IN - everything.accepted == set()
    assert everything.broken == set()
    assert everything.accepted | everything.refused == {f"{method} {path}" for method, path, _ in everything.operations()}


@pytest.mark.promise("SE6")
def test_no_refusal_repeats_what_it_refuses(everything: Requests) -> None:
    assert len(everything.refused) > 60
    assert everything.leaks == set()


@pytest.mark.promise("SE6")
def test_no_log_repeats_what_people_and_events_say(everything: Requests, platform: Stack, marks: Marks) -> None:
    assert len(everything.marks.planted) > 1_000
    assert taint.in_logs(marks, platform) == set()


@pytest.mark.promise("SE6")
def test_no_trace_repeats_what_people_and_events_say(everything: Requests, span_sink: SpanSink, marks: Marks) -> None:
    assert {span.name for span in span_sink.spans()} > {name for name in everything.accepted if "openapi" not in name}
    assert taint.in_traces(marks, span_sink) == set()


@pytest.mark.promise("SE6")
@pytest.mark.usefixtures("everything")
def test_no_metric_repeats_what_people_and_events_say(platform: Stack, marks: Marks) -> None:
    assert taint.in_metrics(marks, taint.metrics_of(platform)) == set()


@pytest.mark.promise("SE6")
@pytest.mark.parametrize(
    ("topic", "consumer"),
    [(topic, consumer) for topic in TOPICS for consumer in topic.consumers],
    ids=lambda each: getattr(each, "name", each),
)
def test_what_is_said_of_a_parked_record_repeats_nothing_of_it(
    platform: Stack, told: dict[str, list[Planted]], marks: Marks, topic: Topic, consumer: str
) -> None:
    letters = letters_of(platform, topic.name, consumer)
    assert {letter.value for letter in letters} & {record.value for record in told[topic.name]}
    assert taint.in_dead_letters(marks, letters) == set()


# A search that finds nothing where there is something would find nothing everywhere.


@pytest.fixture(scope="module")
def leaky(platform: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, SpanSink]]:
    """An API that repeats what it is told, with the log and the collector that it repeats it to."""
    folder, port, sink = tmp_path_factory.mktemp("leaky"), free_port(), SpanSink()
    variables = {
        **platform.surroundings.of("billing", "api", port=port),
        "BILLING_OTLP_ENDPOINT": sink.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    process = ChildProcess(
        "leaky",
        [sys.executable, leaky_api.__file__],
        log=folder / "leaky.log",
        pid_file=folder / "leaky.pid",
        environment={**os.environ, **variables},
        guarded=True,
    )
    process.start()
    try:
        process.wait_ready(lambda: http_status(port, "/health/ready") == 200, 60)
        yield port, folder / "leaky.log", sink
    finally:
        process.kill()
        sink.close()


def test_a_leak_into_log_trace_metric_or_refusal_is_found(leaky: tuple[int, Path, SpanSink]) -> None:
    port, log, sink = leaky
    marks = Marks()
    url = f"http://127.0.0.1:{port}"
    answer = httpx.post(url + leaky_api.LEAKY, content=f"I am {marks.new('body')}", trust_env=False)
    assert wait_until(lambda: "telltale" in {span.name for span in sink.spans()}, 20)

    assert {place for _, place in marks.in_text("answer", answer.text)} == {"body"}
    assert {place for _, place in marks.in_text("log", log.read_text())} == {"body"}
    assert {place for _, place in taint.in_traces(marks, sink)} == {"body"}
    assert {place for _, place in taint.in_metrics(marks, [f"{url}/metrics"])} == {"body"}


async def test_a_leak_into_what_is_said_of_a_parked_record_is_found(platform: Stack) -> None:
    marks, row = Marks(), next(each for each in TOPICS if each.consumers)
    record = LogRecord(row.name, 0, 0, 0, b"nobody", marks.new("body").encode(), [])
    reason = f"unreadable: {marks.new('reason')}"
    await DeadLetters(platform.kafka.bootstrap, row.consumers[0]).park(record, reason)
    letters = letters_of(platform, row.name, row.consumers[0])
    assert {place for _, place in taint.in_dead_letters(marks, letters)} == {"reason"}


def test_a_mark_is_found_in_whatever_spelling() -> None:
    marks = Marks()
    mark = marks.new("name")
    assert marks.in_text("log", f'{{"who": "{mark.upper()}@example.test"}}') == {("log", "name")}
    assert marks.in_text("log", mark[:-1]) == set()
