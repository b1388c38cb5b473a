"""PostgreSQL is lost with its disk: the backup brings everything back, and what was said meanwhile is heard again."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.care import DESPAIR, Care
from tests.e2e.kafka_log import about, read
from tests.e2e.people import Person, Practice, book, eventually, invoice_of

from local_stack.errors import StackError
from local_stack.recovery.drill import Measured, drill
from local_stack.recovery.manifest import NAME, read_manifest
from local_stack.recovery.positions import LogAdministration
from local_stack.recovery.restore import check_backup
from local_stack.recovery.sealing import Seal
from local_stack.stack import Stack


@dataclass
class Lives:
    """Somebody whose life with the platform began before the backup, and somebody who came after it."""

    before: Care
    appointment: dict[str, Any]
    message: dict[str, Any]
    later: Person
    later_appointment: dict[str, Any]
    cry: dict[str, Any]


@pytest.fixture(scope="module")
def seal() -> Seal:
    return Seal(secrets.token_bytes(32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups") / "first"


@pytest.fixture(scope="module")
def told(practice: Practice, folder: Path, seal: Seal) -> tuple[Lives, Measured]:
    """One drill: what people did before and after the backup, and what the drill measured."""
    stack, care = practice.stack, Care.of(practice)
    appointment = book(care.patient, care.therapist)
    eventually(lambda: invoice_of(care.patient, appointment["id"]))
    message = care.write(care.patient, "Something that only the two of us should ever read.")
    lives: list[Lives] = []

    def live_on() -> None:
        later = practice.patient()
        booked = book(later, care.therapist)
        eventually(lambda: invoice_of(later, booked["id"]))
        cry = care.write(care.patient, DESPAIR)
        eventually(care.open_alerts)
        lives.append(Lives(care, appointment, message, later, booked, cry))

    measured = drill(stack, folder, seal, live_on, lambda _step, _seconds: None)
    return lives[0], measured


@pytest.mark.promise("DR3")
def test_what_was_there_before_the_backup_is_there_again_whole_and_once(told: tuple[Lives, Measured], practice: Practice) -> None:
    lives, _ = told
    patient = lives.before.patient
    assert patient.sign_in().status_code == 200
    assert patient.get(f"/api/messages/{lives.message['id']}")["body"] == lives.message["body"]
    invoices = [
        each for each in patient.get("/api/invoices?limit=100")["items"] if each["appointmentId"] == lives.appointment["id"]
    ]
    assert [each["status"] for each in invoices] == ["draft"]
    assert len(about(read(practice.stack.kafka.bootstrap), "invoice.drafted.v1", lives.appointment["id"])) == 1


@pytest.mark.promise("DR3")
def test_what_was_written_after_the_backup_is_lost_and_listed_by_id(told: tuple[Lives, Measured]) -> None:
    lives, measured = told
    assert lives.later.forget().sign_in().status_code == 401
    assert lives.before.patient.ask("GET", f"/api/messages/{lives.cry['id']}").status_code == 404
    lost = {(event.type, event.about) for event in measured.restored.found.lost}
    assert {
        ("user.registered.v1", lives.later.id),
        ("appointment.booked.v1", lives.later_appointment["id"]),
        ("message.sent.v1", lives.before.conversation),
    } <= lost
    assert not lost & {("appointment.booked.v1", lives.appointment["id"]), ("user.registered.v1", lives.before.patient.id)}
    assert {"auth.users", "appointments.appointments", "messaging.messages"} <= measured.lost_rows.keys()


@pytest.mark.promise("DR3")
def test_a_crisis_whose_row_is_lost_calls_the_therapist_all_the_same(told: tuple[Lives, Measured], practice: Practice) -> None:
    lives, measured = told
    assert {"risk.scored.v1", "alert.raised.v1"} <= {event.type for event in measured.restored.found.again}
    (alert,) = eventually(lives.before.open_alerts)
    assert alert["level"] == "critical"
    lives.before.therapist.post(f"/api/alerts/{alert['id']}/acknowledge")
    assert eventually(lambda: about(read(practice.stack.kafka.bootstrap), "alert.acknowledged.v1", alert["id"]))


@pytest.mark.promise("DR3")
def test_life_goes_on_after_a_restore(told: tuple[Lives, Measured], practice: Practice) -> None:
    lives, _ = told
    newcomer = practice.patient()
    appointment = book(newcomer, lives.before.therapist)
    assert eventually(lambda: invoice_of(newcomer, appointment["id"]))["status"] == "draft"
    message = lives.before.write(lives.before.patient, "I am back.")
    assert lives.before.analysis(message["id"])["prediction"]


@pytest.mark.promise("DR3")
def test_the_drill_says_what_a_loss_costs(told: tuple[Lives, Measured], platform: Stack, folder: Path, seal: Seal) -> None:
    _, measured = told
    manifest = read_manifest(folder, seal)
    assert 0 < measured.backup_seconds < measured.rpo_seconds + measured.backup_seconds
    assert 0 < measured.rto_seconds <= measured.caught_up_seconds
    assert measured.restored.rows == sum(sum(each.rows.values()) for each in manifest.databases.values()) > 100
    assert measured.restored.topics == sorted(measured.broken_topics)
    assert LogAdministration(platform.kafka.bootstrap).topics() == manifest.topics
    assert {group.split("-")[0] for group in measured.restored.groups} >= {"billing", "messaging", "notifications"}
    assert [line.split()[0] for line in measured.lines()][:3] == ["backup", "RPO", "RTO"]


@pytest.mark.usefixtures("told")
def test_a_backup_shows_nothing_to_who_has_not_its_key(folder: Path, practice: Practice) -> None:
    dumps = {file.name: file.read_bytes() for file in folder.glob("*.sealed")}
    assert len(dumps) == 7
    known = [b"PGDMP", b"CREATE TABLE", practice.tenant.encode(), b"example.test"]
    assert [name for name, content in dumps.items() for text in known if text in content] == []
    texts = "".join(file.read_text() for file in folder.iterdir() if file.name not in dumps)
    assert [text for text in practice.private if text in texts] == []


@pytest.mark.usefixtures("told")
def test_a_backup_that_is_not_as_it_was_written_is_refused_before_anything_is_touched(
    platform: Stack, folder: Path, seal: Seal, tmp_path: Path
) -> None:
    check_backup(platform, folder, seal)
    with pytest.raises(StackError, match="belongs to another key"):
        check_backup(platform, folder, Seal(bytes(32)))
    with pytest.raises(StackError, match="no backup in"):
        check_backup(platform, tmp_path, seal)
    for file, broken in ((NAME, "manifest"), ("auth.dump.sealed", "dump of auth")):
        copy = shutil.copytree(folder, tmp_path / broken)
        content = bytearray((copy / file).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / file).write_bytes(content)
        with pytest.raises(StackError, match=broken):
            check_backup(platform, copy, seal)


@pytest.mark.usefixtures("told")
def test_a_backup_whose_keys_are_gone_is_refused(platform: Stack, folder: Path, seal: Seal) -> None:
    key = platform.secrets / "messaging-key-encryption-keys"
    kept = key.read_text()
    key.write_text('{"current": "second", "keys": {"second": "another"}}')
    try:
        with pytest.raises(StackError, match="keys that are not here: messaging-key-encryption-keys"):
            check_backup(platform, folder, seal)
    finally:
        key.write_text(kept)
