"""Comparing visits, invoices and the journal by the clock: a difference is a bug or a hand in the database, and people look."""

from __future__ import annotations

from typing import Protocol

from billing.repository import reconciliation
from service_kit.database import Pool
from service_kit.logs import get_logger
from service_kit.metrics import gauge

_log = get_logger(__name__)

RECONCILE_SECONDS = 300.0
"""It reads every invoice with its postings, so not more often; a difference does not heal and can wait for minutes."""

FINDINGS = gauge(
    "billing_reconciliation_findings",
    "Visits and invoices by what is found of them: completed_without_invoice, differs_from_journal, waits_for_price.",
    "finding",
)
_WRONG = ("completed_without_invoice", "differs_from_journal")
_KINDS = (*_WRONG, "waits_for_price")


class Database(Protocol):
    """The worker's database: its pool."""

    async def pool(self) -> Pool: ...


async def reconcile(database: Database) -> None:
    """Show what the books do not agree on, and log it while there is any."""
    found = await reconciliation.findings(await database.pool())
    for finding in _KINDS:
        count = found[finding]
        FINDINGS.labels(finding).set(count)
        if count and finding in _WRONG:
            _log.error("billing.books_differ", finding=finding, count=count)
