"""Events of other services, with only what matters to a metric to be said."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from bloom_events.appointments import AppointmentBooked, AppointmentCompleted, AppointmentMissed, VisitType
from bloom_events.auth import Role, SessionRevoked, SessionStarted, UserRegistered
from bloom_events.billing import InvoiceOpened, InvoicePaid
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import EventId, TenantId, new_id

EXAMPLES = Path(__file__).parents[3] / "libs" / "events" / "examples"
NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)


class Happened:
    """Makes events of one tenant, each with an id of its own."""

    def __init__(self, tenant_id: UUID | None = None) -> None:
        self.tenant_id = TenantId(tenant_id or uuid4())

    def elsewhere(self) -> "Happened":
        """The same of another tenant."""
        return Happened()

    def booked(self, at: datetime, therapist_id: UUID | None = None, *, lead: timedelta = timedelta(days=1)) -> Envelope[Any]:
        return self._visit(AppointmentBooked, at, therapist_id, starts_at=at + lead)

    def completed(self, at: datetime, therapist_id: UUID | None = None) -> Envelope[Any]:
        return self._visit(AppointmentCompleted, at, therapist_id, completed_at=at)

    def missed(self, at: datetime, therapist_id: UUID | None = None) -> Envelope[Any]:
        return self._visit(AppointmentMissed, at, therapist_id, recorded_at=at)

    def opened(self, at: datetime, total_minor: int, currency: str = "EUR") -> Envelope[Any]:
        return self._invoice(InvoiceOpened, at, total_minor, currency, issued_at=at, due_on=at.date())

    def paid(self, at: datetime, total_minor: int, currency: str = "EUR") -> Envelope[Any]:
        return self._invoice(InvoicePaid, at, total_minor, currency, paid_at=at, amount_minor=total_minor)

    def signed_in(self, at: datetime, user_id: UUID | None = None, *, session_id: UUID | None = None) -> Envelope[Any]:
        return self.wrapped(
            SessionStarted(
                session_id=session_id or uuid4(),
                user_id=user_id or uuid4(),
                role=Role.PATIENT,
                expires_at=at + timedelta(hours=8),
            ),
            at,
        )

    def signed_out(self, at: datetime, session_id: UUID) -> Envelope[Any]:
        return self.wrapped(SessionRevoked(session_id=session_id, user_id=uuid4(), reason="signed_out"), at)

    def registered(self, at: datetime, user_id: UUID | None = None, role: Role = Role.PATIENT) -> Envelope[Any]:
        return self.wrapped(UserRegistered(user_id=user_id or uuid4(), role=role, status="active"), at)

    def like_the_example(self, kind: type[Event], at: datetime, **changed: Any) -> Envelope[Any]:
        """An event as the contract's example of its kind, with another aggregate."""
        example = min((EXAMPLES / kind.TYPE).glob("*.json"))
        event = kind.model_validate_json(json.dumps(json.loads(example.read_text())["value"])).model_copy(
            update={kind.KEY: uuid4(), **changed}
        )
        return self.wrapped(event, at)

    def wrapped(self, event: Event, at: datetime, event_id: UUID | None = None) -> Envelope[Any]:
        return wrap(
            event,
            source="/bloom/elsewhere",
            tenant_id=self.tenant_id,
            time=at,
            correlation_id=uuid4(),
            event_id=EventId(event_id or new_id()),
        )

    def _visit(self, kind: type[Event], at: datetime, therapist_id: UUID | None, **more: Any) -> Envelope[Any]:
        about = {
            "appointment_id": uuid4(),
            "revision": 1,
            "patient_id": uuid4(),
            "therapist_id": therapist_id or uuid4(),
            "visit_type": VisitType.STANDARD,
            "starts_at": at + timedelta(days=1),
        } | more
        return self.wrapped(kind(**about, ends_at=about["starts_at"] + timedelta(hours=1)), at)

    def _invoice(self, kind: type[Event], at: datetime, total_minor: int, currency: str, **more: Any) -> Envelope[Any]:
        ids = {"invoice_id": uuid4(), "appointment_id": uuid4(), "patient_id": uuid4(), "therapist_id": uuid4()}
        amounts = {"currency": currency, "net_minor": total_minor, "tax_minor": 0, "total_minor": total_minor}
        return self.wrapped(kind(**ids, **amounts, number="2030-1", **more), at)


@pytest.fixture
def happened() -> Happened:
    """A tenant to which things happen."""
    return Happened()


@pytest.fixture(scope="session")
def tenant_of() -> Callable[[int], Happened]:
    """The tenant of this number, always the same."""
    return lambda number: Happened(UUID(int=number + 1))
