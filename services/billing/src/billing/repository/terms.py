"""Rows of terms: prices and policies, and the lock that keeps them still while something is billed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from billing.domain.terms import DEFAULT_POLICY, Policy, Price, PriceList
from bloom_events.appointments import VisitType
from service_kit.database import Connection

_BEGIN = "insert into terms default values on conflict do nothing"
_HOLD = "select prices_revision, policy_revision from terms for share"
_LOCK = "select prices_revision, policy_revision from terms for update"
_ADD_PRICE = """
    insert into prices (visit_type, revision, currency, net_minor, tax_basis_points, valid_from, set_by)
    values ($1, $2, $3, $4, $5, $6, $7)
"""
_POLICY = "select * from policies where valid_from <= $1 order by revision desc limit 1"
_ADD_POLICY = """
    insert into policies (revision, valid_from, late_window_hours, late_percent, no_show_percent, payment_term_days,
        issuer_name, set_by)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


@dataclass(frozen=True, slots=True)
class Revisions:
    """How often a tenant's prices and policy were set."""

    prices: int
    policy: int


class TermsRepository:
    """Reads and adds terms within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hold(self) -> Revisions:
        """Keep the terms as they are until the end of the transaction; others may read them too."""
        return await self._locked(_HOLD)

    async def lock(self) -> Revisions:
        """Keep everybody else from billing by the terms until the end of the transaction."""
        return await self._locked(_LOCK)

    async def price_list(self) -> PriceList:
        """Every price ever set."""
        revision = await self._connection.fetchval("select prices_revision from terms")
        rows = await self._connection.fetch("select * from prices")
        return PriceList(revision or 0, tuple(_price(row) for row in rows))

    async def price_of(self, visit_type: VisitType, at: datetime) -> Price | None:
        """The price of a type of visit that is in force at a moment."""
        rows = await self._connection.fetch("select * from prices where visit_type = $1", visit_type)
        return PriceList(prices=tuple(_price(row) for row in rows)).price_of(visit_type, at)

    async def policy_at(self, moment: datetime) -> Policy:
        """The policy that was in force at a moment."""
        row = await self._connection.fetchrow(_POLICY, moment)
        return _policy(row) if row else DEFAULT_POLICY

    async def add_prices(self, revision: int, prices: Sequence[Price], set_by: UUID) -> None:
        """Add prices; they share the list's new revision."""
        rows = [(p.visit_type, p.revision, p.currency, p.net_minor, p.tax_basis_points, p.valid_from, set_by) for p in prices]
        await self._connection.execute("update terms set prices_revision = $1", revision)
        await self._connection.executemany(_ADD_PRICE, rows)

    async def add_policy(self, policy: Policy, *, valid_from: datetime, set_by: UUID) -> None:
        """Add a policy, in force from a moment on."""
        terms = policy.late_window_hours, policy.late_percent, policy.no_show_percent, policy.payment_term_days
        await self._connection.execute("update terms set policy_revision = $1", policy.revision)
        await self._connection.execute(_ADD_POLICY, policy.revision, valid_from, *terms, policy.issuer_name, set_by)

    async def _locked(self, statement: str) -> Revisions:
        row = await self._connection.fetchrow(statement)
        if row is None:
            await self._connection.execute(_BEGIN)
            row = await self._connection.fetchrow(statement)
        if row is None:
            raise LookupError("the terms of this tenant cannot be read")
        return Revisions(row["prices_revision"], row["policy_revision"])


def _price(row: Record) -> Price:
    return Price(
        visit_type=VisitType(row["visit_type"]),
        currency=row["currency"],
        net_minor=row["net_minor"],
        tax_basis_points=row["tax_basis_points"],
        valid_from=row["valid_from"],
        revision=row["revision"],
    )


def _policy(row: Record) -> Policy:
    return Policy(
        late_window_hours=row["late_window_hours"],
        late_percent=row["late_percent"],
        no_show_percent=row["no_show_percent"],
        payment_term_days=row["payment_term_days"],
        issuer_name=row["issuer_name"],
        revision=row["revision"],
    )
