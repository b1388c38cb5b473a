"""Every command of appointments, and every event that it listens to, each in a practice of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.faults.stands import MORNING, Answer, Command, Send, Stand

from appointments.use_cases import accounts
from bloom_events.auth import Role, TherapistVerified, UserReinstated, UserSuspended
from bloom_events.ids import UserId

_WEEK = {"hours": [{"weekday": day, "opens": "09:00", "closes": "17:00"} for day in range(1, 8)]}
_SHORTER_WEEK = {
    "hours": [{"weekday": 1, "opens": "10:00", "closes": "12:00"}, {"weekday": 2, "opens": "10:00", "closes": "12:00"}]
}
_HOLIDAY = {"kind": "closed", "firstOn": "2030-02-01", "lastOn": "2030-02-02"}
_PROFILE = {
    "displayName": "Dr. Robin Vale", "acceptsNewPatients": True, "timeZone": "UTC", "slotMinutes": 30, "bufferBeforeMinutes": 0,
    "bufferAfterMinutes": 10, "languages": ["en"], "specialties": ["sleep"],
}  # fmt: skip

Prepare = Callable[[Stand], Awaitable[Send]]


class Practice:
    """A tenant with a therapist who is open from nine to five, and a patient."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.tenant_id, self.therapist_id, patient_id = uuid4(), uuid4(), uuid4()
        self.therapist = stand.caller("THERAPIST", self.tenant_id, self.therapist_id)
        self.patient = stand.caller("PATIENT", self.tenant_id, patient_id)
        stand.clock.moment = MORNING

    def verified(self) -> Any:
        event = TherapistVerified(user_id=UserId(self.therapist_id), display_name="Dr. Robin Vale")
        return self.stand.told(self.tenant_id, event)

    async def open(self) -> Practice:
        """Welcomes the therapist, who then takes new patients: the directory entry is at revision 3."""
        cause = self.verified()
        await accounts.welcome_therapist(self.stand.unit_of_work(cause), cause)
        await self.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": True}, seen=1)
        await self.change("PUT", "/api/therapists/me/availability", _WEEK, seen=2)
        return self

    async def change(self, method: str, path: str, body: object, *, seen: int) -> Answer:
        headers = {**self.therapist, "If-Match": f'"{seen}"'}
        return good(await self.stand.ask(method, path, body, headers=headers), to_prepare=seen < 3)

    def times(self, hours: int) -> dict[str, str]:
        start = MORNING + timedelta(days=1, hours=hours)
        return {"startAt": start.isoformat(), "endAt": (start + timedelta(minutes=50)).isoformat()}

    async def book(self, key: str | None = None) -> Answer:
        body = {"therapistId": str(self.therapist_id), "visitType": "standard", **self.times(1)}
        return await self.stand.ask("POST", "/api/appointments", body, headers=self.patient, key=key)

    async def booked(self) -> str:
        """The path of a booked visit."""
        answer = good(await self.book())
        return f"/api/appointments/{json.loads(answer.body)['appointment']['id']}"


def good(answer: Answer, *, to_prepare: bool = True) -> Answer:
    """The answer, which has to be a success when it only prepares the scene."""
    if to_prepare and answer.status >= 300:
        raise RuntimeError(f"the scene could not be made: {answer.status} {answer.body.decode()}")
    return answer


async def _booking(stand: Stand) -> Send:
    practice, key = await Practice(stand).open(), str(uuid4())
    return lambda: practice.book(key)


async def _moving(stand: Stand) -> Send:
    practice = await Practice(stand).open()
    path = await practice.booked()
    return lambda: stand.ask("POST", f"{path}/reschedule", practice.times(5), headers=practice.patient)


def _changing(*steps: str, after: timedelta = timedelta(0), body: object = None) -> Prepare:
    """The last of these is the command, those before it lead to it; `after` is how much later than the booking they happen."""

    async def prepare(stand: Stand) -> Send:
        practice = await Practice(stand).open()
        path = await practice.booked()
        stand.clock.moment = MORNING + after
        for step in steps[:-1]:
            good(await stand.ask("POST", f"{path}/{step}", headers=practice.therapist))
        return lambda: stand.ask("POST", f"{path}/{steps[-1]}", body, headers=practice.therapist)

    return prepare


def _planning(method: str, path: str, body: object) -> Prepare:
    async def prepare(stand: Stand) -> Send:
        practice = await Practice(stand).open()
        return lambda: practice.change(method, path, body, seen=3)

    return prepare


async def _adding_an_exception(stand: Stand) -> Send:
    practice, key = await Practice(stand).open(), str(uuid4())
    return lambda: stand.ask("POST", "/api/therapists/me/exceptions", _HOLIDAY, headers=practice.therapist, key=key)


async def _removing_an_exception(stand: Stand) -> Send:
    practice = await Practice(stand).open()
    answer = good(await stand.ask("POST", "/api/therapists/me/exceptions", _HOLIDAY, headers=practice.therapist))
    path = f"/api/therapists/me/exceptions/{UUID(json.loads(answer.body)['id'])}"
    return lambda: stand.ask("DELETE", path, headers=practice.therapist)


async def _welcoming(stand: Stand) -> Send:
    cause = Practice(stand).verified()
    return stand.hearing(lambda uow: accounts.welcome_therapist(uow, cause), cause)


async def _suspending(stand: Stand) -> Send:
    practice = await Practice(stand).open()
    cause = stand.told(practice.tenant_id, UserSuspended(user_id=UserId(practice.therapist_id), role=Role.THERAPIST))
    return stand.hearing(lambda uow: accounts.note_suspension(uow, cause), cause)


async def _reinstating(stand: Stand) -> Send:
    practice = await Practice(stand).open()
    cause = stand.told(practice.tenant_id, UserReinstated(user_id=UserId(practice.therapist_id), role=Role.THERAPIST))
    return stand.hearing(lambda uow: accounts.note_reinstatement(uow, cause), cause)


_AT_THE_VISIT = timedelta(days=1, hours=2)

COMMANDS = (
    Command("book a visit", _booking, 201, keyed=True),
    Command("move a visit", _moving),
    Command("confirm a visit", _changing("confirm")),
    Command("cancel a visit", _changing("cancel")),
    Command("complete a visit", _changing("complete", after=_AT_THE_VISIT)),
    Command("record a missed visit", _changing("no-show", after=_AT_THE_VISIT)),
    Command("correct a visit", _changing("complete", "correct", after=_AT_THE_VISIT, body={"correctedTo": "no_show"})),
    Command("replace the profile", _planning("PUT", "/api/therapists/me", _PROFILE)),
    Command("change the profile", _planning("PATCH", "/api/therapists/me", {"slotMinutes": 30})),
    Command("replace the weekly hours", _planning("PUT", "/api/therapists/me/availability", _SHORTER_WEEK)),
    Command("add an exception", _adding_an_exception, 201, keyed=True),
    Command("remove an exception", _removing_an_exception, 204),
    Command("hear of a verified therapist", _welcoming, 204),
    Command("hear of a suspension", _suspending, 204),
    Command("hear of a reinstatement", _reinstating, 204),
)
