"""Whatever people do in whatever order, the database holds what a simple model of booking says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule, run_state_machine_as_test
from pydantic import SecretStr

from appointments.domain.appointments import Actor
from appointments.domain.availability import WeeklyHours
from appointments.domain.slots import Interval
from appointments.domain.therapists import Therapist
from appointments.repository.availability import AvailabilityRepository
from appointments.repository.therapists import TherapistRepository
from appointments.use_cases import appointments as use_cases
from bloom_events.appointments import VisitType
from bloom_events.auth import Role
from bloom_events.ids import PatientId, TenantId, TherapistId
from service_kit.database import create_pool
from service_kit.errors import Problem
from service_kit.testing import as_tenant
from service_kit.unit_of_work import Context, UnitOfWork

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

OPENING = datetime(2030, 1, 7, 9, tzinfo=UTC)
LIVE = {"booked", "confirmed"}
OVER = {"cancelled": "already-cancelled", "completed": "already-completed", "no_show": "already-missed"}


@dataclass
class Visit:
    """What the model knows of an appointment; `hour` is its slot, counted from the opening."""

    patient: int
    therapist: int
    hour: int
    status: str = "booked"
    revision: int = 1


class Booking(RuleBasedStateMachine):
    """Two therapists with hourly slots, three patients, and a clock that only runs forward."""

    database: ServiceDatabase
    visits = Bundle("visits")

    @initialize()
    def open_the_clinic(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.now, self.tenant, self.model = OPENING, TenantId(uuid4()), dict[UUID, Visit]()
        self.patients, self.therapists = [uuid4() for _ in range(3)], [uuid4() for _ in range(2)]
        self.run(self._open())

    async def _open(self) -> None:
        self.pool = await create_pool(SecretStr(self.database.app_url), size=2, application_name="booking-machine")
        self.relay = await asyncpg.connect(self.database.relay_url)
        for therapist_id in self.therapists:
            therapist, _ = Therapist.verified(TherapistId(therapist_id), "Dr. Robin Vale")
            async with self.uow().begin() as transaction:
                await TherapistRepository(transaction.connection).add(therapist)
                week = [WeeklyHours(weekday, 0, 1440) for weekday in range(1, 8)]
                await AvailabilityRepository(transaction.connection).replace_hours(therapist.id, week)
                await transaction.connection.execute("update therapists set accepts_new_patients = true")

    def teardown(self) -> None:
        self.run(self.relay.close())
        self.run(self.pool.close())
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def uow(self) -> UnitOfWork:
        context = Context(tenant_id=self.tenant, correlation_id=uuid4())
        return UnitOfWork(self.pool, source="/bloom/appointments", context=context, clock=lambda: self.now)

    def outcome(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The appointment, or the slug of the refusal."""
        try:
            return self.run(work)
        except Problem as refused:
            return refused.slug

    def slot(self, hour: int) -> Interval:
        return Interval(OPENING + timedelta(hours=hour), OPENING + timedelta(hours=hour, minutes=50))

    def started(self, visit: Visit) -> bool:
        return self.now >= self.slot(visit.hour).start

    def refusals(self, patient: int, therapist: int, hour: int, but: UUID | None = None) -> set[str]:
        """Why the time cannot be taken; where both are busy either may be said."""
        if self.slot(hour).start <= self.now:
            return {"starts-in-the-past"}
        others = [v for key, v in self.model.items() if key != but and v.status in LIVE and v.hour == hour]
        busy = {"slot-taken"} if any(v.therapist == therapist for v in others) else set[str]()
        return busy | ({"patient-already-booked"} if any(v.patient == patient for v in others) else set())

    @rule(target=visits, patient=st.integers(0, 2), therapist=st.integers(0, 1), hour=st.integers(0, 5))
    def book(self, patient: int, therapist: int, hour: int) -> Any:
        work = use_cases.book_appointment(
            self.uow(),
            patient_id=PatientId(self.patients[patient]),
            therapist_id=TherapistId(self.therapists[therapist]),
            visit_type=VisitType.STANDARD,
            slot=self.slot(hour),
            now=self.now,
        )
        refusals, outcome = self.refusals(patient, therapist, hour), self.outcome(work)
        if refusals:
            assert outcome in refusals
            return multiple()
        self.model[outcome.id] = Visit(patient, therapist, hour)
        return outcome.id

    @rule(visit_id=visits, hour=st.integers(0, 5))
    def reschedule(self, visit_id: UUID, hour: int) -> None:
        visit = self.model[visit_id]
        actor = Actor(self.patients[visit.patient], Role.PATIENT)
        work = use_cases.reschedule_appointment(self.uow(), visit_id, actor, self.slot(hour), seen=None, now=self.now)
        outcome = self.outcome(work)
        if visit.status in OVER:
            expected = {OVER[visit.status]}
        elif self.started(visit):
            expected = {"visit-already-started"}
        elif hour == visit.hour:
            expected = {"same-time"}
        else:
            expected = self.refusals(visit.patient, visit.therapist, hour, but=visit_id)
        self.settle(visit, outcome, expected, status="booked", hour=hour)

    @rule(visit_id=visits)
    def confirm(self, visit_id: UUID) -> None:
        visit = self.model[visit_id]
        expected = self.over(visit) or ({"already-confirmed"} if visit.status == "confirmed" else set())
        if not expected and self.now >= self.slot(visit.hour).end:
            expected = {"visit-already-over"}
        self.step(use_cases.confirm_appointment, visit_id, Role.THERAPIST, expected, "confirmed")

    @rule(visit_id=visits, role=st.sampled_from(list(Role)))
    def cancel(self, visit_id: UUID, role: Role) -> None:
        visit = self.model[visit_id]
        late = {"visit-already-started"} if role is Role.PATIENT and self.started(visit) else set()
        self.step(use_cases.cancel_appointment, visit_id, role, self.over(visit) or late, "cancelled")

    @rule(visit_id=visits)
    def complete(self, visit_id: UUID) -> None:
        visit = self.model[visit_id]
        early = set() if self.started(visit) else {"visit-not-started"}
        self.step(use_cases.complete_appointment, visit_id, Role.THERAPIST, self.over(visit) or early, "completed")

    @rule(visit_id=visits)
    def miss(self, visit_id: UUID) -> None:
        visit = self.model[visit_id]
        early = set() if self.started(visit) else {"visit-not-started"}
        self.step(use_cases.record_no_show, visit_id, Role.THERAPIST, self.over(visit) or early, "no_show")

    @rule(visit_id=visits, to=st.sampled_from(["no_show", "cancelled"]))
    def correct(self, visit_id: UUID, to: Any) -> None:
        visit = self.model[visit_id]
        actor = Actor(uuid4(), Role.ADMINISTRATOR)
        outcome = self.outcome(use_cases.correct_appointment(self.uow(), visit_id, actor, to, seen=None, now=self.now))
        self.settle(visit, outcome, set() if visit.status == "completed" else {"not-completed"}, status=to)

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def over(self, visit: Visit) -> set[str]:
        return {OVER[visit.status]} if visit.status in OVER else set()

    def step(self, command: Callable[..., Any], visit_id: UUID, role: Role, expected: set[str], status: str) -> None:
        visit = self.model[visit_id]
        people = {Role.PATIENT: self.patients[visit.patient], Role.THERAPIST: self.therapists[visit.therapist]}
        actor = Actor(people.get(role, uuid4()), role)
        outcome = self.outcome(command(self.uow(), visit_id, actor, seen=None, now=self.now))
        self.settle(visit, outcome, expected, status=status)

    def settle(self, visit: Visit, outcome: Any, expected: set[str], **changes: Any) -> None:
        if expected:
            assert outcome in expected
            return
        assert outcome.revision == visit.revision + 1
        visit.revision += 1
        for name, value in changes.items():
            setattr(visit, name, value)

    @invariant()
    def the_database_holds_what_the_model_says(self) -> None:
        if hasattr(self, "model"):
            self.run(self._compare())

    async def _compare(self) -> None:
        async with as_tenant(self.pool, self.tenant) as connection:
            rows = await connection.fetch("select id, status, starts_at, revision from appointments")
        held = {row["id"]: (row["status"], row["starts_at"], row["revision"]) for row in rows}
        said = {key: (v.status, self.slot(v.hour).start, v.revision) for key, v in self.model.items()}
        assert held == said
        payloads = await self.relay.fetch("select payload from outbox where tenant_id = $1 order by id", self.tenant)
        told: dict[str, list[int]] = {}
        for row in payloads:
            event = orjson.loads(row["payload"])
            told.setdefault(event["appointment_id"], []).append(event["revision"])
        assert told == {str(key): list(range(1, v.revision + 1)) for key, v in self.model.items()}


@pytest.mark.promise("AP4")
@pytest.mark.promise("AP9")
def test_the_database_follows_a_model_of_booking(service_database: Callable[[str], ServiceDatabase]) -> None:
    database = service_database("appointments")

    class BookingOnThisDatabase(Booking):
        pass

    BookingOnThisDatabase.database = database
    run_state_machine_as_test(
        BookingOnThisDatabase,
        settings=settings(
            max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
        ),
    )
    assert not hasattr(Booking, "database")
