"""The mail sink takes, keeps and shows mail, breaks when it is asked to, and has an event log like Mailgun's."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from local_stack.mail import MailFault, MailSink


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailSink]:
    made = MailSink(tmp_path_factory.mktemp("sink"), guarded=True)
    made.start()
    made.wait_ready()
    yield made
    made.kill()


def send(sink: MailSink, to: str, subject: str = "Hello", *, message_id: str = "<1@bloom.local>") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = "no-reply@bloom.local", to, subject, message_id
    mail.set_content("Grüße & <b>more</b>\n")
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=3) as session:
        session.send_message(mail)


def test_a_mail_is_kept_shown_and_still_there_after_a_restart(sink: MailSink) -> None:
    send(sink, "kept@example.test", "Kept & <shown>")
    sink.kill()
    sink.start()
    sink.wait_ready()

    [mail] = sink.messages(to="kept@example.test")
    assert (mail["Subject"], mail.get_content()) == ("Kept & <shown>", "Grüße & <b>more</b>\r\n")
    page = httpx.get(sink.url, trust_env=False).text
    assert "Kept &amp; &lt;shown&gt;" in page
    assert "<b>more</b>" not in page


def test_each_reader_finds_their_own_mail_alone(sink: MailSink) -> None:
    send(sink, "one@example.test")

    assert sink.messages(to="two@example.test") == []
    assert len(sink.messages(to="one@example.test")) == 1


@pytest.mark.parametrize(
    ("fault", "error", "kept"),
    [
        ("refuse", smtplib.SMTPDataError, 0),
        ("defer", smtplib.SMTPDataError, 0),
        ("refuse-recipient", smtplib.SMTPRecipientsRefused, 0),
        ("hang-before", smtplib.SMTPServerDisconnected, 0),
        ("hang-after", smtplib.SMTPServerDisconnected, 1),
        ("drop-after", smtplib.SMTPServerDisconnected, 1),
    ],
)
def test_a_fault_hits_the_next_mail_and_no_other(sink: MailSink, fault: MailFault, error: type[Exception], kept: int) -> None:
    address = f"{fault}@example.test"
    sink.fail_next(fault)
    with pytest.raises(error):
        send(sink, address)
    assert len(sink.messages(to=address)) == kept
    send(sink, address)

    assert len(sink.messages(to=address)) == kept + 1
    assert sink.faults_left() == 0


def test_the_event_log_finds_a_mail_by_its_id_for_who_has_the_key(sink: MailSink) -> None:
    send(sink, "log@example.test", message_id="<found@bloom.local>")

    def ask(message_id: str, key: str) -> httpx.Response:
        return httpx.get(f"{sink.events_url}/events", params={"message-id": message_id}, auth=("api", key), trust_env=False)

    [item] = ask("found@bloom.local", sink.events_key).json()["items"]
    assert (item["event"], item["recipient"]) == ("accepted", "log@example.test")
    assert item["message"]["headers"]["message-id"] == "found@bloom.local"
    assert ask("other@bloom.local", sink.events_key).json()["items"] == []
    assert ask("found@bloom.local", "wrong").status_code == 401


def test_an_unknown_fault_is_refused(sink: MailSink) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        sink.fail_next("explode")  # type: ignore[arg-type]  # what the test is about


def test_the_key_is_in_no_command_line(sink: MailSink) -> None:
    process = sink.processes[0].process()
    assert process is not None
    assert not any(sink.events_key in argument for argument in process.cmdline())
    assert (Path(sink.folder) / "secrets" / "mail-events-key").stat().st_mode & 0o077 == 0
