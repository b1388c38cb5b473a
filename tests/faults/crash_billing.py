"""Every command of billing, and every kind of event that it bills, each in a practice of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.faults.stands import MORNING, Answer, Command, Send, Stand

from billing.use_cases.visits import bill_visit
from bloom_events.appointments import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentConfirmed,
    AppointmentCorrected,
    AppointmentEvent,
    AppointmentMissed,
    AppointmentRescheduled,
    VisitType,
)
from bloom_events.ids import AppointmentId, PatientId, TherapistId, new_id

_PRICES = {"prices": [{"visitType": "standard", "currency": "EUR", "netMinor": 12_345, "taxBasisPoints": 1_900}]}
_DEARER = {"prices": [{"visitType": "standard", "currency": "EUR", "netMinor": 13_000, "taxBasisPoints": 1_900}]}
_TOTAL_MINOR = 12_345 + 2_346
_POLICY = {"lateWindowHours": 48, "latePercent": 40, "noShowPercent": 90, "paymentTermDays": 30, "issuerName": "Vale Practice"}

Prepare = Callable[[Stand], Awaitable[Send]]


class Practice:
    """A tenant with a price for its visits, one visit and what happens to it."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.tenant_id = uuid4()
        self.administrator = stand.caller("ADMINISTRATOR", self.tenant_id)
        self.starts_at = MORNING + timedelta(days=1)
        self.facts = {
            "appointment_id": AppointmentId(new_id()),
            "patient_id": PatientId(uuid4()),
            "therapist_id": TherapistId(uuid4()),
            "visit_type": VisitType.STANDARD,
        }
        self.revision = 0
        stand.clock.moment = MORNING

    async def set_prices(self, prices: object, *, seen: int) -> Answer:
        headers = {**self.administrator, "If-Match": f'"{seen}"'}
        return await self.stand.ask("PUT", "/api/invoices/prices", prices, headers=headers)

    def heard(self, event_type: type[AppointmentEvent], **more: Any) -> Send:
        """What billing does with the next event of the visit."""
        self.revision += 1
        times = {"starts_at": self.starts_at, "ends_at": self.starts_at + timedelta(minutes=50)}
        cause = self.stand.told(self.tenant_id, event_type(revision=self.revision, **self.facts, **times, **more))
        return self.stand.hearing(lambda uow: bill_visit(uow, cause, now=self.stand.clock()), cause)

    async def invoice(self) -> tuple[UUID, int]:
        """The only invoice there is, and its revision."""
        row = await self.stand.database.connection.fetchrow(
            "select id, revision from invoices where tenant_id = $1", self.tenant_id
        )
        if row is None:
            raise RuntimeError("the scene has no invoice")
        return row["id"], row["revision"]


_LATER = MORNING + timedelta(days=1, hours=1)
_Heard = tuple[type[AppointmentEvent], dict[str, Any]]
BOOKED: _Heard = (AppointmentBooked, {})
CONFIRMED: _Heard = (AppointmentConfirmed, {})
MOVED: _Heard = (AppointmentRescheduled, {"previous_starts_at": MORNING, "previous_ends_at": _LATER})
COMPLETED: _Heard = (AppointmentCompleted, {"completed_at": _LATER})
MISSED: _Heard = (AppointmentMissed, {"recorded_at": _LATER})
CANCELLED_LATE: _Heard = (AppointmentCancelled, {"cancelled_by": "patient", "cancelled_at": MORNING + timedelta(hours=20)})
CANCELLED_BY_US: _Heard = (AppointmentCancelled, {"cancelled_by": "therapist", "cancelled_at": MORNING})
CORRECTED_TO_MISSED: _Heard = (AppointmentCorrected, {"corrected_to": "no_show", "corrected_at": _LATER})
CORRECTED_TO_CANCELLED: _Heard = (AppointmentCorrected, {"corrected_to": "cancelled", "corrected_at": _LATER})


async def _after(stand: Stand, *events: _Heard) -> Practice:
    practice = Practice(stand)
    await practice.set_prices(_PRICES, seen=1)
    for event_type, more in events:
        await practice.heard(event_type, **more)()
    return practice


def _hearing(*events: _Heard) -> Prepare:
    """The last of these is the command, those before it lead to it."""

    async def prepare(stand: Stand) -> Send:
        practice = await _after(stand, *events[:-1])
        event_type, more = events[-1]
        return practice.heard(event_type, **more)

    return prepare


async def _paying(stand: Stand) -> Send:
    practice, key = await _after(stand, BOOKED, COMPLETED), str(uuid4())
    invoice_id, _ = await practice.invoice()
    body = {"amountMinor": _TOTAL_MINOR, "currency": "EUR", "method": "card"}
    return lambda: stand.ask("POST", f"/api/invoices/{invoice_id}/payments", body, headers=practice.administrator, key=key)


async def _voiding(stand: Stand) -> Send:
    practice = await _after(stand, BOOKED, COMPLETED)
    invoice_id, revision = await practice.invoice()
    headers = {**practice.administrator, "If-Match": f'"{revision}"'}
    return lambda: stand.ask("POST", f"/api/invoices/{invoice_id}/void", {"reason": "waived"}, headers=headers)


async def _setting_the_first_prices(stand: Stand) -> Send:
    practice = Practice(stand)
    for event_type, more in (BOOKED, COMPLETED):
        await practice.heard(event_type, **more)()
    return lambda: practice.set_prices(_PRICES, seen=1)


async def _raising_prices(stand: Stand) -> Send:
    practice = await _after(stand, BOOKED)
    return lambda: practice.set_prices(_DEARER, seen=2)


async def _setting_the_policy(stand: Stand) -> Send:
    headers = {**Practice(stand).administrator, "If-Match": '"1"'}
    return lambda: stand.ask("PUT", "/api/invoices/policy", _POLICY, headers=headers)


COMMANDS = (
    Command("record a payment", _paying, 201, keyed=True),
    Command("void an invoice", _voiding),
    Command("set the first prices", _setting_the_first_prices),
    Command("raise prices", _raising_prices),
    Command("set the policy", _setting_the_policy),
    Command("hear of a booking", _hearing(BOOKED), 204),
    Command("hear of a confirmation", _hearing(BOOKED, CONFIRMED), 204),
    Command("hear of a move", _hearing(BOOKED, MOVED), 204),
    Command("hear of a visit", _hearing(BOOKED, COMPLETED), 204),
    Command("hear of a missed visit", _hearing(BOOKED, MISSED), 204),
    Command("hear of a late cancellation", _hearing(BOOKED, CANCELLED_LATE), 204),
    Command("hear of the practice's cancellation", _hearing(BOOKED, CANCELLED_BY_US), 204),
    Command("hear of a visit that was missed after all", _hearing(BOOKED, COMPLETED, CORRECTED_TO_MISSED), 204),
    Command("hear of a visit that was cancelled after all", _hearing(BOOKED, COMPLETED, CORRECTED_TO_CANCELLED), 204),
    Command("hear of a correction first", _hearing(CORRECTED_TO_MISSED), 204),
)
