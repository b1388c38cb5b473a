"""Settlement: what each course of an appointment leaves to be paid, in whatever order its events arrive."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import invoices, ledger
from billing.domain.charges import LineKind
from billing.domain.invoices import Invoice, Status, Step, VoidReason
from billing.domain.ledger import Account, Posting
from billing.domain.settlement import Numbers, settle
from billing.domain.terms import Policy, Price
from billing.domain.visits import Visit, visit_from
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
from bloom_events.event import Event

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
PRICE = Price(VisitType.STANDARD, "EUR", 12_000, 1_900, datetime(2026, 1, 1, tzinfo=UTC), 1)
POLICY = Policy(late_window_hours=24, late_percent=50, no_show_percent=80)


STARTS_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Story:
    """The events of one appointment, numbered as its service numbers them."""

    starts_at: datetime = STARTS_AT
    visit_type: VisitType = VisitType.STANDARD

    def __post_init__(self) -> None:
        self.events: list[AppointmentEvent] = []
        self.ids = {"appointment_id": uuid4(), "patient_id": uuid4(), "therapist_id": uuid4()}

    def booked(self) -> "Story":
        return self._add(AppointmentBooked)

    def confirmed(self) -> "Story":
        return self._add(AppointmentConfirmed)

    def rescheduled(self, by: timedelta) -> "Story":
        before = self.starts_at
        self.starts_at += by
        return self._add(AppointmentRescheduled, previous_starts_at=before, previous_ends_at=before + timedelta(minutes=50))

    def cancelled(self, hours_before: float, by: str = "patient") -> "Story":
        at = self.starts_at - timedelta(hours=hours_before)
        return self._add(AppointmentCancelled, cancelled_by=by, cancelled_at=at)

    def completed(self) -> "Story":
        return self._add(AppointmentCompleted, completed_at=self.starts_at + timedelta(hours=1))

    def missed(self) -> "Story":
        return self._add(AppointmentMissed, recorded_at=self.starts_at + timedelta(hours=1))

    def corrected(self, to: str) -> "Story":
        return self._add(AppointmentCorrected, corrected_to=to, corrected_at=self.starts_at + timedelta(days=1))

    def _add(self, event_type: type[AppointmentEvent], **more: Any) -> "Story":
        ends_at = self.starts_at + timedelta(minutes=50)
        state = {**self.ids, "visit_type": self.visit_type, "starts_at": self.starts_at, "ends_at": ends_at}
        self.events.append(event_type(revision=len(self.events) + 1, **state, **more))
        return self


@pytest.fixture
def story() -> Story:
    return Story()


@dataclass
class Books:
    """The books of one visit in memory, kept as the database keeps them."""

    price: Price | None = PRICE
    policy: Policy = POLICY
    visit: Visit | None = None
    invoices: dict[int, Invoice] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)
    postings: list[Posting] = field(default_factory=list)
    published: list[Event] = field(default_factory=list)

    def hear(self, event: AppointmentEvent) -> None:
        visit = visit_from(event)
        if self.visit is None or visit.revision > self.visit.revision:
            self.visit = visit
            self.settle()

    def settle(self) -> None:
        assert self.visit is not None
        known = [self.invoices[key] for key in sorted(self.invoices)]
        result = settle(self.visit, known, price=self.price, policy=self.policy, numbers=self.numbers, now=NOW)
        self.numbers = result.numbers
        for step in result.steps:
            self.apply(step)

    def apply(self, step: Step) -> None:
        self.invoices[step.invoice.sequence] = step.invoice
        self.postings += [step.posting] if step.posting else []
        self.published += step.events

    def hear_all(self, events: Sequence[AppointmentEvent]) -> "Books":
        for event in events:
            self.hear(event)
        return self

    def state(self) -> list[tuple[object, ...]]:
        """What must be the same whatever the order: everything but ids, revisions and times of processing."""
        return [(i.sequence, i.status, i.patient_id, i.number, i.lines) for _, i in sorted(self.invoices.items())]

    def balances(self) -> dict[tuple[Account, str], int]:
        return {at: amount for at, amount in ledger.balances(self.postings).items() if amount}


def statuses(books: Books) -> list[tuple[Status, list[LineKind], int]]:
    return [(i.status, [line.kind for line in i.lines], i.amounts.total_minor) for _, i in sorted(books.invoices.items())]


@pytest.mark.promise("BI1")
def test_a_booking_creates_the_draft_at_once(story: Story) -> None:
    books = Books().hear_all(story.booked().events)

    assert statuses(books) == [(Status.DRAFT, [LineKind.VISIT], 14_280)]
    assert [event.TYPE for event in books.published] == ["invoice.drafted.v1"]


def test_completion_opens_the_draft_under_its_number(story: Story) -> None:
    books = Books().hear_all(story.booked().confirmed().completed().events)

    assert statuses(books) == [(Status.OPEN, [LineKind.VISIT], 14_280)]
    assert books.invoices[1].number == "INV-000001"
    assert books.balances() == {
        (Account.ACCOUNTS_RECEIVABLE, "EUR"): 14_280,
        (Account.REVENUE, "EUR"): -12_000,
        (Account.TAX_PAYABLE, "EUR"): -2_280,
    }


def test_a_cancellation_in_time_discards_the_draft(story: Story) -> None:
    books = Books().hear_all(story.booked().cancelled(hours_before=24).events)

    assert statuses(books) == [(Status.DISCARDED, [LineKind.VISIT], 14_280)]
    assert books.numbers == Numbers()


def test_a_late_cancellation_opens_with_the_fee_line(story: Story) -> None:
    books = Books().hear_all(story.booked().cancelled(hours_before=2).events)

    assert statuses(books) == [(Status.OPEN, [LineKind.LATE_CANCELLATION], 7_140)]


@pytest.mark.parametrize("who", ["therapist", "administrator"])
def test_a_late_cancellation_by_the_practice_costs_nothing(story: Story, who: str) -> None:
    books = Books().hear_all(story.booked().cancelled(hours_before=0, by=who).events)

    assert statuses(books)[0][0] is Status.DISCARDED


def test_a_no_show_opens_with_its_fee_line(story: Story) -> None:
    books = Books().hear_all(story.booked().missed().events)

    assert statuses(books) == [(Status.OPEN, [LineKind.NO_SHOW], 11_424)]


def test_a_visit_corrected_to_cancelled_is_credited(story: Story) -> None:
    books = Books().hear_all(story.booked().completed().corrected("cancelled").events)

    assert statuses(books) == [(Status.CREDITED, [LineKind.VISIT], 14_280)]
    assert books.numbers == Numbers(invoice=1, credit_note=1)
    assert books.balances() == {}


def test_a_visit_corrected_to_no_show_is_credited_and_charged_anew(story: Story) -> None:
    books = Books().hear_all(story.booked().completed().corrected("no_show").events)

    assert statuses(books) == [(Status.CREDITED, [LineKind.VISIT], 14_280), (Status.OPEN, [LineKind.NO_SHOW], 11_424)]


def test_crediting_a_paid_invoice_owes_the_money_back(story: Story) -> None:
    books = Books().hear_all(story.booked().completed().events)
    books.apply(invoices.pay(books.invoices[1], amount_minor=14_280, currency="EUR", now=NOW))
    books.hear_all(story.corrected("cancelled").events)

    assert books.balances() == {(Account.CASH, "EUR"): 14_280, (Account.CUSTOMER_CREDITS, "EUR"): -14_280}


def test_where_nothing_is_owed_nothing_is_invoiced(story: Story) -> None:
    books = Books(policy=Policy(no_show_percent=0)).hear_all(story.booked().missed().events)

    assert statuses(books)[0][0] is Status.DISCARDED


def test_a_void_by_an_administrator_is_the_last_word(story: Story) -> None:
    books = Books().hear_all(story.booked().events)
    books.apply(invoices.void(books.invoices[1], reason=VoidReason.WAIVED, now=NOW))
    books.hear_all(story.completed().corrected("no_show").events)

    assert statuses(books) == [(Status.VOID, [LineKind.VISIT], 14_280)]
    assert books.postings == []


def test_a_visit_without_a_price_waits_and_is_billed_once_there_is_one(story: Story) -> None:
    books = Books(price=None).hear_all(story.booked().completed().events)
    waiting = books.invoices[1].status
    books.price = PRICE
    books.settle()

    assert waiting is Status.UNPRICED
    assert statuses(books) == [(Status.OPEN, [LineKind.VISIT], 14_280)]


def test_an_unpriced_visit_that_is_cancelled_in_time_is_discarded_in_silence(story: Story) -> None:
    books = Books(price=None).hear_all(story.booked().cancelled(hours_before=72).events)

    assert books.invoices[1].status is Status.DISCARDED
    assert books.published == []


def test_a_draft_is_drafted_anew_when_the_visit_moves(story: Story) -> None:
    books = Books().hear_all(story.booked().rescheduled(timedelta(days=7)).events)

    assert books.invoices[1].lines[0].visit_starts_at == story.starts_at
    assert [event.TYPE for event in books.published] == ["invoice.drafted.v1", "invoice.drafted.v1"]


def test_settling_again_changes_nothing(story: Story) -> None:
    books = Books().hear_all(story.booked().completed().corrected("no_show").events)
    before, postings = books.state(), list(books.postings)
    books.settle()

    assert (books.state(), books.postings) == (before, postings)


ENDINGS: dict[str, Callable[[Story], Story]] = {
    "ahead": lambda story: story,
    "cancelled in time": lambda story: story.cancelled(hours_before=72),
    "cancelled late": lambda story: story.cancelled(hours_before=3),
    "cancelled by the therapist": lambda story: story.cancelled(hours_before=3, by="therapist"),
    "completed": lambda story: story.completed(),
    "missed": lambda story: story.missed(),
    "corrected to no-show": lambda story: story.completed().corrected("no_show"),
    "corrected to cancelled": lambda story: story.completed().corrected("cancelled"),
}


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[AppointmentEvent], list[AppointmentEvent]]:
    """The events of one appointment in order, and a delivery of them: each at least once, in any order."""
    story = Story().booked()
    for change in draw(st.lists(st.sampled_from(["confirm", "move"]), max_size=3)):
        story = story.confirmed() if change == "confirm" else story.rescheduled(timedelta(days=draw(st.integers(1, 20))))
    events = ENDINGS[draw(st.sampled_from(sorted(ENDINGS)))](story).events
    repeated = draw(st.lists(st.sampled_from(events), max_size=5))
    return events, draw(st.permutations([*events, *repeated]))


@pytest.mark.promise("BI4")
@given(case=deliveries())
def test_any_order_and_repetition_of_an_appointments_events_gives_the_same_books(
    case: tuple[list[AppointmentEvent], list[AppointmentEvent]],
) -> None:
    in_order, delivered = case
    expected, seen = Books().hear_all(in_order), Books().hear_all(delivered)

    assert seen.state() == expected.state()
    assert seen.numbers == expected.numbers
    assert seen.balances() == expected.balances()
    assert sum(invoice.is_live for invoice in seen.invoices.values()) <= 1
