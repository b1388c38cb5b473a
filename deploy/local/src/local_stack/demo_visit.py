"""The story of one visit: a therapist opens a calendar, a patient books, they meet, and the invoice is there.

The visit begins at the next full minute, because a visit cannot be completed before it has begun.
"""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from local_stack.api import Api
from local_stack.errors import StackError
from local_stack.seed import wait_for_directory
from local_stack.story import Somebody, Story

SLOT_MINUTES = 5
# Booking takes two seconds; with less than this left in the minute, the visit begins in the one after the next.
ROOM_SECONDS = 10


def tell_of_a_visit(story: Story, admin: Api) -> tuple[Somebody, Somebody]:
    """Tell it whole; gives the therapist and the patient, who are in care from now on."""
    therapist = _a_therapist_joins(story, admin)
    patient, other = _two_patients_register(story)
    slot = _a_slot_opens(story, therapist, patient.api)
    appointment_id = _one_of_them_books(story, patient.api, other.api, slot)
    _the_visit_takes_place(story, therapist.api, appointment_id, slot)
    _the_invoice_is_there(story, patient.api, appointment_id)
    return therapist, patient


def _a_therapist_joins(story: Story, admin: Api) -> Somebody:
    email = story.email("therapist")
    token = admin.post("/api/auth/invitations", {"email": email}).body["token"]
    story.tell("the administrator invites a therapist")
    therapist = story.newcomer("therapist", "THERAPIST", displayName="Dr. Kim Reed", invitationToken=token)
    story.show(["user.registered.v1", "therapist.verified.v1", "session.started.v1"], [therapist.id])
    wait_for_directory(therapist.api)
    story.tell("the appointments service has heard of it: the therapist is in the directory")
    story.show(["therapist.profile-changed.v1"], [therapist.id])
    return therapist


def _two_patients_register(story: Story) -> tuple[Somebody, Somebody]:
    patient = story.newcomer("patient", "PATIENT")
    story.show(["user.registered.v1", "session.started.v1"], [patient.id])
    other = story.newcomer("rival", "PATIENT")
    story.show(["user.registered.v1", "session.started.v1"], [other.id])
    return patient, other


def _a_slot_opens(story: Story, therapist: Somebody, patient: Api) -> dict[str, str]:
    """The therapist opens the calendar for one slot; the patient finds it."""
    zone, starts = next_start(datetime.now(UTC))
    profile = {"timeZone": zone, "slotMinutes": SLOT_MINUTES, "bufferBeforeMinutes": 0, "bufferAfterMinutes": 0}
    therapist.api.change("PATCH", "/api/therapists/me", {**profile, "acceptsNewPatients": True})
    local = starts.astimezone(ZoneInfo(zone))
    closes = local + timedelta(minutes=SLOT_MINUTES)
    hours = {"weekday": local.isoweekday(), "opens": f"{local:%H:%M}", "closes": f"{closes:%H:%M}"}
    therapist.api.change("PUT", "/api/therapists/me/availability", {"hours": [hours]})
    story.tell(f"the therapist opens the calendar for one slot at {starts:%H:%M} UTC")
    story.show(["therapist.profile-changed.v1"], [therapist.id])
    until = starts + timedelta(hours=1)
    found = patient.get(f"/api/therapists/{therapist.id}/slots?from={starts:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}")
    slot: dict[str, str] = found.body["items"][0]
    return {"therapistId": str(therapist.id), "startAt": slot["startAt"], "endAt": slot["endAt"]}


def _one_of_them_books(story: Story, patient: Api, other: Api, slot: dict[str, str]) -> UUID:
    booking = {**slot, "visitType": "standard"}
    booked = patient.post("/api/appointments", booking).body["appointment"]
    appointment_id = UUID(booked["id"])
    story.tell("the patient books it")
    story.show(["appointment.booked.v1", "invoice.drafted.v1"], [appointment_id])
    refused = other.ask("POST", "/api/appointments", booking)
    if (refused.status, refused.problem) != (409, "slot-taken"):
        raise StackError("demo", f"the second booking was answered {refused.status} {refused.problem}, not 409 slot-taken")
    story.tell(f"the rival wants the same slot and is refused: {refused.status} {refused.problem}")
    return appointment_id


def _the_visit_takes_place(story: Story, therapist: Api, appointment_id: UUID, slot: dict[str, str]) -> None:
    therapist.post(f"/api/appointments/{appointment_id}/confirm")
    story.tell("the therapist confirms")
    story.show(["appointment.confirmed.v1"], [appointment_id])
    starts = datetime.fromisoformat(slot["startAt"].replace("Z", "+00:00"))
    remaining = (starts - datetime.now(UTC)).total_seconds()
    story.tell(f"the visit begins in {max(0.0, remaining):.0f} s; a visit cannot be completed before it has begun")
    time.sleep(max(0.0, remaining) + 0.05)
    therapist.post(f"/api/appointments/{appointment_id}/complete")
    story.tell("the therapist completes the visit")
    story.show(["appointment.completed.v1", "invoice.opened.v1"], [appointment_id])


def _the_invoice_is_there(story: Story, patient: Api, appointment_id: UUID) -> None:
    listed = patient.get("/api/invoices").body["items"]
    invoice = next((each for each in listed if each["appointmentId"] == str(appointment_id)), None)
    if invoice is None or invoice["status"] != "open":
        raise StackError("demo", f"the patient has no open invoice for the visit, but {invoice and invoice['status']}")
    total = f"{invoice['totalMinor'] / 100:.2f} {invoice['currency']}"
    story.tell(f"the patient finds the invoice {invoice['number']} over {total}, due on {invoice['dueOn']}")


def next_start(now: datetime) -> tuple[str, datetime]:
    """A time zone in which it is nowhere near midnight, and the next full minute that leaves time enough to book."""
    starts = (now + timedelta(seconds=ROOM_SECONDS)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return ("UTC" if 1 <= now.hour < 22 else "Asia/Tokyo"), starts
