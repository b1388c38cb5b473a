"""The ledger: double-entry postings, each of which balances, that say what an invoice did to the accounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.money import Amounts
from bloom_events.ids import InvoiceId


class Account(StrEnum):
    """The accounts of the journal; credit notes on paid invoices are owed back to patients as customer credits."""

    ACCOUNTS_RECEIVABLE = "accounts_receivable"
    REVENUE = "revenue"
    TAX_PAYABLE = "tax_payable"
    CASH = "cash"
    CUSTOMER_CREDITS = "customer_credits"


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class PostingKind(StrEnum):
    """Why something was posted; each kind at most once for an invoice."""

    ISSUED = "issued"
    PAID = "paid"
    VOIDED = "voided"
    CREDITED = "credited"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a posting: an amount above zero on one account."""

    account: Account
    side: Side
    amount_minor: int

    @property
    def signed_minor(self) -> int:
        """Debits count up, credits down."""
        return self.amount_minor if self.side is Side.DEBIT else -self.amount_minor


@dataclass(frozen=True, slots=True)
class Posting:
    """What is written into the journal at once; refuses to exist unless debits equal credits."""

    kind: PostingKind
    invoice_id: InvoiceId
    currency: str
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not self.entries or any(entry.amount_minor <= 0 for entry in self.entries):
            raise ValueError("a posting has entries, each above zero")
        if sum(entry.signed_minor for entry in self.entries) != 0:
            raise ValueError("debits and credits of a posting are not equal")


def issue(invoice_id: InvoiceId, amounts: Amounts) -> Posting:
    """The patient owes the total; the practice has earned the net and owes the tax."""
    owed = (Account.ACCOUNTS_RECEIVABLE, amounts.total_minor)
    return _posting(PostingKind.ISSUED, invoice_id, amounts, [owed, *_earned(amounts, -1)])


def pay(invoice_id: InvoiceId, amounts: Amounts) -> Posting:
    """What was owed has become cash."""
    total = amounts.total_minor
    return _posting(PostingKind.PAID, invoice_id, amounts, [(Account.CASH, total), (Account.ACCOUNTS_RECEIVABLE, -total)])


def void(invoice_id: InvoiceId, amounts: Amounts) -> Posting:
    """Takes back what issuing posted."""
    no_longer_owed = (Account.ACCOUNTS_RECEIVABLE, -amounts.total_minor)
    return _posting(PostingKind.VOIDED, invoice_id, amounts, [*_earned(amounts, 1), no_longer_owed])


def credit(invoice_id: InvoiceId, amounts: Amounts, *, was_paid: bool) -> Posting:
    """Takes back revenue and tax: an unpaid total is no longer owed, a paid one is owed back to the patient."""
    against = Account.CUSTOMER_CREDITS if was_paid else Account.ACCOUNTS_RECEIVABLE
    return _posting(PostingKind.CREDITED, invoice_id, amounts, [*_earned(amounts, 1), (against, -amounts.total_minor)])


def balances(postings: Iterable[Posting]) -> dict[tuple[Account, str], int]:
    """Per account and currency what is on it, debits up and credits down, in minor units."""
    sums: dict[tuple[Account, str], int] = {}
    for posting in postings:
        for entry in posting.entries:
            at = (entry.account, posting.currency)
            sums[at] = sums.get(at, 0) + entry.signed_minor
    return sums


def _earned(amounts: Amounts, sign: int) -> list[tuple[Account, int]]:
    return [(Account.REVENUE, sign * amounts.net_minor), (Account.TAX_PAYABLE, sign * amounts.tax_minor)]


def _posting(kind: PostingKind, invoice_id: InvoiceId, amounts: Amounts, signed: list[tuple[Account, int]]) -> Posting:
    entries = tuple(
        Entry(account, Side.DEBIT if amount > 0 else Side.CREDIT, abs(amount)) for account, amount in signed if amount != 0
    )
    return Posting(kind, invoice_id, amounts.currency, entries)
