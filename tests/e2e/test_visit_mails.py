"""What people are told by e-mail about their visits: what it is about, when, with a file for the calendar, and nothing more."""

from email.message import EmailMessage

import pytest
from icalendar import Calendar
from tests.e2e.people import Person, Practice, book, eventually


@pytest.fixture(scope="module")
def people(practice: Practice) -> tuple[Person, Person]:
    return practice.patient(), practice.therapist("Dr. Kim Reed")


def mail_to(practice: Practice, person: Person, subject: str) -> EmailMessage:
    """The mail with this subject, once it is there; there is one."""

    def found() -> list[EmailMessage]:
        return [each for each in practice.stack.mail.messages(to=person.email) if str(each["Subject"]).startswith(subject)]

    eventually(found)
    (mail,) = found()
    return mail


def event_in(mail: EmailMessage) -> tuple[str, str, int]:
    """Method, identity and revision of the appointment in a mail's calendar file."""
    (attached,) = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(attached.get_payload(decode=True))
    (event,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), str(event["UID"]), int(event["SEQUENCE"])


@pytest.mark.promise("AP7")
@pytest.mark.promise("PL11")
def test_patient_and_therapist_are_told_of_a_visit_and_of_its_end_in_one_calendar_entry(
    practice: Practice, people: tuple[Person, Person]
) -> None:
    patient, therapist = people
    appointment = book(patient, therapist)
    new = mail_to(practice, therapist, "New appointment")
    therapist.post(f"/api/appointments/{appointment['id']}/confirm")
    confirmed = mail_to(practice, patient, "Appointment confirmed")
    assert patient.ask("POST", f"/api/appointments/{appointment['id']}/cancel").is_success
    cancelled = mail_to(practice, patient, "Appointment cancelled")

    requests = [event_in(new), event_in(confirmed)]
    cancel = event_in(cancelled)
    assert {method for method, _, _ in requests} == {"REQUEST"}
    assert cancel[0] == "CANCEL"
    assert {identity for _, identity, _ in (*requests, cancel)} == {requests[0][1]}
    assert requests[0][2] < requests[1][2] < cancel[2]


def test_one_click_on_the_link_of_a_mail_ends_mails_of_its_kind(practice: Practice, people: tuple[Person, Person]) -> None:
    patient, therapist = practice.patient(), people[1]
    book(patient, therapist)
    mail = mail_to(practice, patient, "Appointment booked")
    assert str(mail["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"]).strip("<>").removeprefix(practice.stack.gateway.url)
    stranger = practice.newcomer()
    asked = stranger.ask("GET", link)
    assert (asked.status_code, "<form" in asked.text) == (200, True)
    assert patient.get("/api/notifications/preferences")["appointments"]["email"] is True
    assert stranger.send("POST", link, b"List-Unsubscribe=One-Click", Content_Type="application/x-www-form-urlencoded").is_success
    assert patient.get("/api/notifications/preferences")["appointments"]["email"] is False
    assert stranger.ask("POST", f"{link[:-4]}AAAA").status_code in {400, 404}
