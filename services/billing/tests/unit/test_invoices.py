"""Invoices: every transition that makes no sense is refused, and the ledger balances after every one that does."""

from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from billing.domain import invoices, ledger
from billing.domain.charges import full_price
from billing.domain.invoices import TRANSITIONS, Invoice, InvoiceStateConflict, PaymentAmountMismatch, Status, VoidReason
from billing.domain.ledger import Account, Entry, Posting, PostingKind, Side
from billing.domain.settlement import Numbers
from billing.domain.terms import Policy, Price
from billing.domain.visits import Outcome, Visit
from bloom_events.appointments import VisitType
from bloom_events.ids import AppointmentId, CreditNoteId, InvoiceId, PatientId, TherapistId

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def price_of(net_minor: int, tax_basis_points: int = 1_900, currency: str = "EUR") -> Price:
    return Price(VisitType.STANDARD, currency, net_minor, tax_basis_points, NOW, 1)


def a_visit() -> Visit:
    ids = AppointmentId(uuid4()), 1, PatientId(uuid4()), TherapistId(uuid4())
    return Visit(*ids, VisitType.STANDARD, NOW, Outcome.AHEAD)


def drafted(price: Price) -> Invoice:
    visit = a_visit()
    return invoices.draft(invoices.begin(InvoiceId(uuid4()), visit, 1, NOW), full_price(visit, price)).invoice


def opened(price: Price, number: str = "INV-000001") -> invoices.Step:
    invoice = drafted(price)
    return invoices.open_(invoice, invoice.lines[0], number=number, policy=Policy(payment_term_days=14), now=NOW)


def move(invoice: Invoice, to: Status) -> invoices.Step:
    line = opened(price_of(100)).invoice.lines[0]
    match to:
        case Status.DRAFT:
            return invoices.draft(invoice, line)
        case Status.OPEN:
            return invoices.open_(invoice, line, number="INV-000002", policy=Policy(), now=NOW)
        case Status.PAID:
            return invoices.pay(invoice, amount_minor=119, currency="EUR", now=NOW)
        case Status.VOID:
            return invoices.void(invoice, reason=VoidReason.WAIVED, now=NOW)
        case Status.CREDITED:
            return invoices.credit(invoice, credit_note_id=CreditNoteId(uuid4()), number="CN-000001", now=NOW)
        case _:
            return invoices.discard(invoice, NOW)


def in_status(status: Status) -> Invoice:
    if status is Status.UNPRICED:
        return invoices.begin(InvoiceId(uuid4()), a_visit(), 1, NOW)
    draft = drafted(price_of(100))
    if status is Status.DRAFT:
        return draft
    path = [Status.OPEN] if status not in {Status.DISCARDED, Status.OPEN} else []
    for step in [*path, status]:
        draft = move(draft, step).invoice
    return draft


@pytest.mark.parametrize("source", list(Status))
@pytest.mark.parametrize("target", [status for status in Status if status is not Status.UNPRICED])
def test_only_the_transitions_of_the_table_are_possible(source: Status, target: Status) -> None:
    invoice = in_status(source)

    if target in TRANSITIONS[source]:
        assert move(invoice, target).invoice.status is target
    else:
        with pytest.raises(InvoiceStateConflict):
            move(invoice, target)


def test_an_open_invoice_has_number_issuer_and_due_date() -> None:
    invoice = opened(price_of(10_000)).invoice

    assert (invoice.number, invoice.issuer_name, str(invoice.due_on)) == ("INV-000001", "Bloom", "2026-03-17")


@pytest.mark.parametrize(("amount", "currency"), [(11_899, "EUR"), (11_901, "EUR"), (11_900, "USD"), (0, "EUR")])
def test_a_payment_of_anything_but_the_whole_amount_is_refused(amount: int, currency: str) -> None:
    with pytest.raises(PaymentAmountMismatch):
        invoices.pay(opened(price_of(10_000)).invoice, amount_minor=amount, currency=currency, now=NOW)


def test_a_posting_that_does_not_balance_cannot_exist() -> None:
    entries = (Entry(Account.CASH, Side.DEBIT, 2), Entry(Account.ACCOUNTS_RECEIVABLE, Side.CREDIT, 1))

    with pytest.raises(ValueError, match="not equal"):
        Posting(PostingKind.PAID, InvoiceId(uuid4()), "EUR", entries)


def test_a_posting_without_entries_cannot_exist() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Posting(PostingKind.PAID, InvoiceId(uuid4()), "EUR", ())


def test_numbers_of_both_series_leave_none_out() -> None:
    numbers, seen = Numbers(), []
    for _ in range(3):
        number, numbers = numbers.next_invoice()
        seen.append(number)
    note, numbers = numbers.next_credit_note()

    assert seen == ["INV-000001", "INV-000002", "INV-000003"]
    assert (note, numbers) == ("CN-000001", Numbers(3, 1))


class LedgerMachine(RuleBasedStateMachine):
    """Opens, pays, voids and credits invoices at random; the ledger must agree with a count of money kept on the side."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Invoice] = []
        self.postings: list[Posting] = []
        self.owed: Counter[str] = Counter()
        self.cash: Counter[str] = Counter()
        self.owed_back: Counter[str] = Counter()
        self.numbers = Numbers()

    def _take(self, step: invoices.Step) -> Invoice:
        self.postings += [step.posting] if step.posting else []
        return step.invoice

    def _pick(self, data: st.DataObject, *statuses: Status) -> int | None:
        fitting = [index for index, invoice in enumerate(self.known) if invoice.status in statuses]
        return data.draw(st.sampled_from(fitting)) if fitting else None

    @rule(net=st.integers(1, 10**9), rate=st.integers(0, 10_000), currency=st.sampled_from(["EUR", "USD", "JPY"]))
    def open_one(self, net: int, rate: int, currency: str) -> None:
        number, self.numbers = self.numbers.next_invoice()
        self.known.append(self._take(opened(price_of(net, rate, currency), number)))
        self.owed[currency] += self.known[-1].amounts.total_minor

    @rule(data=st.data())
    def pay_one(self, data: st.DataObject) -> None:
        if (index := self._pick(data, Status.OPEN)) is not None:
            amounts = self.known[index].amounts
            step = invoices.pay(self.known[index], amount_minor=amounts.total_minor, currency=amounts.currency, now=NOW)
            self.known[index] = self._take(step)
            self.owed[amounts.currency] -= amounts.total_minor
            self.cash[amounts.currency] += amounts.total_minor

    @rule(data=st.data())
    def void_one(self, data: st.DataObject) -> None:
        if (index := self._pick(data, Status.OPEN)) is not None:
            amounts = self.known[index].amounts
            self.known[index] = self._take(invoices.void(self.known[index], reason=VoidReason.WAIVED, now=NOW))
            self.owed[amounts.currency] -= amounts.total_minor

    @rule(data=st.data())
    def credit_one(self, data: st.DataObject) -> None:
        if (index := self._pick(data, Status.OPEN, Status.PAID)) is not None:
            before = self.known[index]
            number, self.numbers = self.numbers.next_credit_note()
            self.known[index] = self._take(invoices.credit(before, credit_note_id=CreditNoteId(uuid4()), number=number, now=NOW))
            side = self.owed_back if before.status is Status.PAID else self.owed
            side[before.amounts.currency] += before.amounts.total_minor * (1 if before.status is Status.PAID else -1)

    @invariant()
    def the_ledger_agrees(self) -> None:
        sums = ledger.balances(self.postings)
        for currency in ("EUR", "USD", "JPY"):
            assert sum(amount for (_, code), amount in sums.items() if code == currency) == 0
            assert sums.get((Account.ACCOUNTS_RECEIVABLE, currency), 0) == self.owed[currency]
            assert sums.get((Account.CASH, currency), 0) == self.cash[currency]
            assert -sums.get((Account.CUSTOMER_CREDITS, currency), 0) == self.owed_back[currency]
            kept = sum(i.amounts.net_minor for i in self.known if i.is_issued and i.amounts.currency == currency)
            assert -sums.get((Account.REVENUE, currency), 0) == kept


@pytest.mark.promise("BI4")
def test_the_ledger_balances_after_any_course_of_business() -> None:
    run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
