"""After all stories: nothing that these people are called, wrote or signed in with lies in a log or on Kafka."""

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.e2e.kafka_log import read
from tests.e2e.people import Practice, Visit

if TYPE_CHECKING:
    from local_stack.stack import Stack


@pytest.fixture(scope="module")
def whispered(practice: Practice, visit: Visit) -> set[str]:
    """Every private text of the stories, those of refused requests included."""
    patient = visit.patient
    wrong = patient.forget()
    wrong.password = "almost the right password"
    assert wrong.sign_in().status_code == 401
    login = {"email": patient.email, "password": patient.password, "tenant": patient.tenant}
    assert patient.ask("POST", "/api/auth/register", {**login, "role": "PATIENT"}).status_code == 409
    broken = patient.send("POST", "/api/auth/sign-in", f'{{"email": "{patient.email}", '.encode())
    assert broken.status_code in {400, 422}
    name = patient.get("/api/users/me")["displayName"]
    assert name in practice.private
    assert patient.ask("GET", f"/api/therapists?language={patient.email}").status_code == 422
    assert patient.ask("GET", f"/api/nothing/{patient.email}").status_code == 404
    return practice.private | {wrong.password, "example.test"}


def test_no_log_of_any_component_holds_a_name_an_address_a_password_or_a_token(platform: "Stack", whispered: set[str]) -> None:
    logs = sorted(platform.logs.iterdir())
    assert {log.stem for log in logs} >= {*platform.services, "gateway", "postgres", "valkey"}
    assert sum(log.stat().st_size for log in logs) > 20_000
    found = [log.name for log in logs for text in [log.read_text(errors="replace")] if any(each in text for each in whispered)]
    assert found == []


@pytest.mark.promise("PL18")
def test_no_record_on_kafka_holds_an_address_a_patients_name_a_password_or_a_token(
    platform: "Stack", whispered: set[str]
) -> None:
    records = read(platform.kafka.bootstrap)
    assert len(records) > 50
    texts = [(one.topic, one.type, b"\n".join([one.key or b"", one.value or b"", *_values(one.headers)])) for one in records]
    found = {(topic, kind) for topic, kind, text in texts if any(each.encode() in text for each in whispered)}
    assert found == set()
    assert not [kind for _, kind, text in texts if kind and b"@" in text]


def test_metrics_of_every_process_name_nobody(platform: "Stack", whispered: set[str], practice: Practice) -> None:
    ids = {practice.administrator.id, practice.tenant}
    for name, process in platform.services.items():
        shown = httpx.get(f"http://{process.address}/metrics", timeout=30)
        assert shown.status_code == 200, name
        assert [text for text in whispered | ids if text in shown.text] == [], name


def _values(headers: dict[str, bytes | None]) -> list[bytes]:
    return [value for value in headers.values() if value is not None]
