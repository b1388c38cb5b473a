"""What the books of all tenants do not agree on, as numbers: by a function that row security lets see no more."""

from __future__ import annotations

from service_kit.database import Pool

_FINDINGS = "select finding, invoices from reconcile_invoices()"


async def findings(pool: Pool) -> dict[str, int]:
    """How many visits or invoices there are of each kind of finding; each kind has its row."""
    return {row["finding"]: row["invoices"] for row in await pool.fetch(_FINDINGS)}
