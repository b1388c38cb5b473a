"""Rows of the journal and of the two series of numbers."""

from __future__ import annotations

from datetime import datetime

from billing.domain.ledger import Posting
from billing.domain.settlement import Numbers
from bloom_events.ids import new_id
from service_kit.database import Connection

_LOCK_NUMBERS = """
    insert into number_series default values
    on conflict (tenant_id) do update set last_invoice = number_series.last_invoice
    returning last_invoice, last_credit_note
"""
_POST = "insert into journal_transactions (id, invoice_id, kind, currency, posted_at) values ($1, $2, $3, $4, $5)"
_ADD_ENTRIES = """
    insert into journal_entries (transaction_id, position, account, side, amount_minor)
    select $1, entry.position, entry.account, entry.side, entry.amount
    from unnest($2::text[], $3::text[], $4::bigint[]) with ordinality as entry(account, side, amount, position)
"""


class LedgerRepository:
    """Posts and counts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock_numbers(self) -> Numbers:
        """The last numbers used; nobody else gets the next ones before this transaction ends."""
        row = await self._connection.fetchrow(_LOCK_NUMBERS)
        if row is None:
            raise LookupError("the series of numbers of this tenant cannot be read")
        return Numbers(row["last_invoice"], row["last_credit_note"])

    async def keep_numbers(self, numbers: Numbers) -> None:
        """Save the last numbers used."""
        statement = "update number_series set last_invoice = $1, last_credit_note = $2"
        await self._connection.execute(statement, numbers.invoice, numbers.credit_note)

    async def post(self, posting: Posting, now: datetime) -> None:
        """Write a posting; the database checks its balance at commit."""
        posting_id = new_id()
        await self._connection.execute(_POST, posting_id, posting.invoice_id, posting.kind, posting.currency, now)
        entries = posting.entries
        columns = [e.account.value for e in entries], [e.side.value for e in entries], [e.amount_minor for e in entries]
        await self._connection.execute(_ADD_ENTRIES, posting_id, *columns)
