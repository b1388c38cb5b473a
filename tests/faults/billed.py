"""What billing made of stories of visits, compared with what it had to make of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.faults.visit_stories import Bill, Story, Terms

from service_kit.database import Connection

_PRICE = """
    insert into prices (tenant_id, visit_type, revision, currency, net_minor, tax_basis_points, valid_from, set_by)
    values ($1, $2, $3, $4, $5, $6, $7, $1)
"""
_POLICY = """
    insert into policies (tenant_id, revision, valid_from, late_window_hours, late_percent, no_show_percent, payment_term_days,
        issuer_name, set_by)
    values ($1, 1, $2, $3, $4, $5, 14, 'A practice', $1)
"""
_INVOICES = """
    select appointment_id, sequence, status, currency, net_minor, tax_minor, number from invoices
    where tenant_id = any($1) order by appointment_id, sequence
"""
_UNBALANCED = """
    select count(*) from (
        select t.id from journal_transactions t left join journal_entries e on e.transaction_id = t.id
        where t.tenant_id = any($1) group by t.id
        having coalesce(sum(case e.side when 'debit' then e.amount_minor else -e.amount_minor end), 1) <> 0) as unbalanced
"""
_BALANCE = """
    select account, sum(case side when 'debit' then amount_minor else -amount_minor end)::bigint as amount
    from journal_entries where tenant_id = $1 group by account
"""


async def set_terms(connection: Connection, terms: Terms) -> None:
    """Writes the prices and the policy of a tenant, in force since long ago."""
    await connection.execute("insert into terms values ($1, $2, 1)", terms.tenant_id, len(terms.prices))
    for revision, price in enumerate(terms.prices, start=1):
        kind, amount = price.visit_type.value, price.net_minor
        row = (terms.tenant_id, kind, revision, terms.currency, amount, price.tax_basis_points, price.valid_from)
        await connection.execute(_PRICE, *row)
    since = min(price.valid_from for price in terms.prices)
    fees = terms.late_window_hours, terms.late_percent, terms.no_show_percent
    await connection.execute(_POLICY, terms.tenant_id, since, *fees)


async def differences(connection: Connection, stories: Sequence[Story]) -> list[str]:
    """Everything that is not as the stories want it, in a sentence each."""
    tenants = list({story.terms.tenant_id for story in stories})
    wrong = await _wrong_visits(connection, tenants, stories)
    wrong += await _wrong_invoices(connection, tenants, stories)
    for tenant_id in tenants:
        own = [story for story in stories if story.terms.tenant_id == tenant_id]
        wrong += await _wrong_numbers(connection, tenant_id, own)
        wrong += await _wrong_journal(connection, tenant_id, own)
        wrong += await _wrong_events(connection, tenant_id, own)
    if unbalanced := await connection.fetchval(_UNBALANCED, tenants):
        wrong.append(f"{unbalanced} postings do not balance")
    return wrong


async def _wrong_visits(connection: Connection, tenants: list[UUID], stories: Sequence[Story]) -> list[str]:
    rows = await connection.fetch("select appointment_id, events_handled from visits where tenant_id = any($1)", tenants)
    handled = {row["appointment_id"]: row["events_handled"] for row in rows}
    published = {story.appointment_id: len(story.events) for story in stories}
    twice = sum(handled.get(key, 0) > count for key, count in published.items())
    never = sum(handled.get(key, 0) < count for key, count in published.items())
    told, heard = sum(published.values()), sum(handled.values())
    return [
        *([f"{twice} visits have handled an event twice ({heard} handled, {told} published)"] if twice else []),
        *([f"{never} visits have missed an event ({heard} handled, {told} published)"] if never else []),
        *([f"{len(handled.keys() - published.keys())} visits nobody told of"] if handled.keys() - published.keys() else []),
    ]


async def _wrong_invoices(connection: Connection, tenants: list[UUID], stories: Sequence[Story]) -> list[str]:
    found: dict[UUID, list[Bill]] = defaultdict(list)
    for row in await connection.fetch(_INVOICES, tenants):
        found[row["appointment_id"]].append(
            tuple(row[name] for name in ("sequence", "status", "currency", "net_minor", "tax_minor"))
        )
    wrong = []
    for story in stories:
        bills = found.pop(story.appointment_id, [])
        if bills != story.bills():
            wrong.append(f"a visit that ended {story.ending!r} is billed {bills} instead of {story.bills()}")
    return [*wrong[:5], *([f"{len(wrong)} visits in all are billed wrongly"] if wrong else []), *_strangers(found)]


def _strangers(found: dict[UUID, list[Bill]]) -> list[str]:
    return [f"{len(found)} visits were billed that nobody told of"] if found else []


async def _wrong_numbers(connection: Connection, tenant_id: UUID, stories: Sequence[Story]) -> list[str]:
    statuses = Counter(status for story in stories for _, status, *_ in story.bills())
    wrong = []
    for table, letters, count in (
        ("invoices", "INV", statuses["open"] + statuses["credited"]),
        ("credit_notes", "CN", statuses["credited"]),
    ):
        rows = await connection.fetch(f"select number from {table} where tenant_id = $1 and number is not null", tenant_id)
        numbers = sorted(row["number"] for row in rows)
        if numbers != [f"{letters}-{number:06d}" for number in range(1, count + 1)]:
            wrong.append(f"the numbers of {table} have gaps: {len(numbers)} up to {numbers[-1:]} where {count} were needed")
    return wrong


async def _wrong_journal(connection: Connection, tenant_id: UUID, stories: Sequence[Story]) -> list[str]:
    owed = [bill for story in stories for bill in story.bills() if bill[1] == "open"]
    net, tax = sum(bill[3] for bill in owed), sum(bill[4] for bill in owed)
    wanted = {"accounts_receivable": net + tax, "revenue": -net, "tax_payable": -tax}
    found = {row["account"]: row["amount"] for row in await connection.fetch(_BALANCE, tenant_id)}
    if {name: amount for name, amount in found.items() if amount} == {name: amount for name, amount in wanted.items() if amount}:
        return []
    return [f"the journal says {found}, the model {wanted}"]


async def _wrong_events(connection: Connection, tenant_id: UUID, stories: Sequence[Story]) -> list[str]:
    """Drafts may be announced more or less often, depending on the order; what is final is announced once."""
    statuses = Counter(status for story in stories for _, status, *_ in story.bills())
    rows: Sequence[Any] = await connection.fetch(
        "select type, count(*) from outbox where tenant_id = $1 group by type", tenant_id
    )
    told = {row["type"]: row["count"] for row in rows}
    wanted = {
        "invoice.opened.v1": statuses["open"] + statuses["credited"],
        "invoice.credited.v1": statuses["credited"],
        "invoice.discarded.v1": statuses["discarded"],
    }
    return [f"{told.get(kind, 0)} {kind} for {count}" for kind, count in wanted.items() if told.get(kind, 0) != count]
