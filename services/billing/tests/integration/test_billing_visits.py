"""From events to rows: each course of an appointment leaves the invoices, postings and events that it should."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing.domain.terms import Policy
from billing.use_cases.terms import NewPrice, set_policy
from bloom_events.appointments import VisitType

Outbox = Callable[[UUID], Awaitable[list[str]]]


@pytest.mark.promise("BI1")
async def test_a_booking_has_its_draft_at_once_and_says_so(practice: Any, outbox: Outbox) -> None:
    await practice.with_prices()
    await practice.hear(practice.story().booked().events)

    (invoice,) = await practice.invoices()
    assert (invoice["status"], invoice["total_minor"], invoice["currency"], invoice["number"]) == ("draft", 14_280, "EUR", None)
    assert await outbox(practice.tenant_id) == ["invoice.drafted.v1"]


@pytest.mark.promise("BI2")
async def test_a_completed_visit_is_issued_under_its_number_and_posted(practice: Any, outbox: Outbox) -> None:
    await practice.with_prices()
    await practice.hear(practice.story().booked().completed().events)

    (invoice,) = await practice.invoices()
    assert (invoice["status"], invoice["number"]) == ("open", "INV-000001")
    assert await practice.balance() == {"accounts_receivable": 14_280, "revenue": -12_000, "tax_payable": -2_280}
    assert await outbox(practice.tenant_id) == ["invoice.drafted.v1", "invoice.opened.v1"]


async def test_a_cancellation_in_time_discards_the_draft(practice: Any, outbox: Outbox) -> None:
    await practice.with_prices()
    await practice.hear(practice.story().booked().cancelled(hours_before=25).events)

    assert [invoice["status"] for invoice in await practice.invoices()] == ["discarded"]
    assert await practice.balance() == {}
    assert await outbox(practice.tenant_id) == ["invoice.drafted.v1", "invoice.discarded.v1"]


async def test_a_late_cancellation_opens_with_its_fee(practice: Any) -> None:
    await practice.with_prices()
    await practice.hear(practice.story().booked().cancelled(hours_before=2).events)

    lines = await practice.rows("select kind, percent, net_minor, tax_minor from invoice_lines")
    assert lines == [{"kind": "late_cancellation", "percent": 50, "net_minor": 6_000, "tax_minor": 1_140}]


async def test_the_fee_follows_the_policy_that_was_in_force_when_it_happened(practice: Any) -> None:
    await practice.with_prices()
    story = practice.story().booked().missed()
    practice.clock.moment = story.starts_at.replace(hour=6)
    await set_policy(practice.uow(), Policy(no_show_percent=30), seen=0, set_by=uuid4(), now=practice.clock())
    practice.clock.advance(days=2)
    await set_policy(practice.uow(), Policy(no_show_percent=90), seen=1, set_by=uuid4(), now=practice.clock())
    await practice.hear(story.events)

    assert [line["percent"] for line in await practice.rows("select percent from invoice_lines")] == [30]


async def test_a_correction_credits_the_visit_and_charges_the_no_show(practice: Any, outbox: Outbox) -> None:
    await practice.with_prices()
    await practice.hear(practice.story().booked().completed().corrected("no_show").events)

    assert [(i["sequence"], i["status"], i["number"]) for i in await practice.invoices()] == [
        (1, "credited", "INV-000001"),
        (2, "open", "INV-000002"),
    ]
    assert [note["number"] for note in await practice.rows("select number from credit_notes")] == ["CN-000001"]
    assert (await outbox(practice.tenant_id))[2:] == ["invoice.credited.v1", "invoice.drafted.v1", "invoice.opened.v1"]


@pytest.mark.promise("BI4")
async def test_a_redelivered_event_has_no_second_effect(practice: Any, outbox: Outbox) -> None:
    await practice.with_prices()
    events = practice.story().booked().completed().events
    await practice.hear([*events, *events, events[1]])

    assert len(await practice.invoices()) == 1
    assert len(await outbox(practice.tenant_id)) == 2
    assert [visit["events_handled"] for visit in await practice.rows("select events_handled from visits")] == [2]


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_of_events_leaves_the_same_books(practice: Any, other_practice: Any, seed: int) -> None:
    rng = random.Random(seed)
    for each in (practice, other_practice):
        await each.with_prices()
    in_order, shuffled = (each.story().booked().completed().corrected("no_show").events for each in (practice, other_practice))
    delivered = [*shuffled, *rng.choices(shuffled, k=3)]
    rng.shuffle(delivered)
    await practice.hear(in_order)
    await other_practice.hear(delivered)

    def told(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
        return [(row["sequence"], row["status"], row["number"], row["total_minor"]) for row in rows]

    assert told(await other_practice.invoices()) == told(await practice.invoices())
    assert await other_practice.balance() == await practice.balance()


@pytest.mark.promise("BI4")
async def test_the_same_events_taken_by_many_workers_at_once_bill_the_visit_once(practice: Any) -> None:
    await practice.with_prices()
    events = practice.story().booked().completed().events
    await asyncio.gather(*(practice.hear(events[index % 2 :]) for index in range(8)))

    assert [(i["status"], i["number"]) for i in await practice.invoices()] == [("open", "INV-000001")]
    assert (await practice.balance())["accounts_receivable"] == 14_280


@pytest.mark.promise("BI4")
async def test_numbers_have_no_gaps_when_many_visits_are_completed_at_once(practice: Any) -> None:
    await practice.with_prices()
    stories = [practice.story().booked().completed().corrected("cancelled") for _ in range(25)]
    await asyncio.gather(*(practice.hear(story.events) for story in stories))

    numbers = sorted(invoice["number"] for invoice in await practice.invoices())
    notes = sorted(note["number"] for note in await practice.rows("select number from credit_notes"))
    assert numbers == [f"INV-{n:06d}" for n in range(1, 26)]
    assert notes == [f"CN-{n:06d}" for n in range(1, 26)]


async def test_two_tenants_count_their_own_numbers(practice: Any, other_practice: Any) -> None:
    for each in (practice, other_practice):
        await each.with_prices()
        await each.hear(each.story().booked().completed().events)

    assert [i["number"] for each in (practice, other_practice) for i in await each.invoices()] == ["INV-000001"] * 2


async def test_a_visit_without_a_price_waits_and_is_billed_when_one_is_set(practice: Any, outbox: Outbox) -> None:
    await practice.hear(practice.story().booked().completed().events)
    waiting = [invoice["status"] for invoice in await practice.invoices()]
    await practice.with_prices()

    assert waiting == ["unpriced"]
    assert [(i["status"], i["total_minor"]) for i in await practice.invoices()] == [("open", 14_280)]
    assert await outbox(practice.tenant_id) == ["invoice.drafted.v1", "invoice.opened.v1"]


async def test_a_new_price_changes_the_drafts_of_visits_under_it_and_no_others(practice: Any) -> None:
    await practice.with_prices()
    early, late = practice.story(), practice.story()
    late.starts_at = early.starts_at.replace(month=6)
    await practice.hear([*early.booked().events, *late.booked().events])
    may = NewPrice(VisitType.STANDARD, "EUR", 15_000, 1_900, early.starts_at.replace(month=5))
    await practice.with_prices([may], seen=1)

    nets = {i["appointment_id"]: i["net_minor"] for i in await practice.invoices()}
    assert nets == {early.appointment_id: 12_000, late.appointment_id: 15_000}


async def test_an_issued_invoice_keeps_its_price(practice: Any) -> None:
    await practice.with_prices()
    await practice.hear(practice.story().booked().completed().events)
    await practice.with_prices([NewPrice(VisitType.STANDARD, "EUR", 99_000, 0, None)], seen=1)

    assert [invoice["net_minor"] for invoice in await practice.invoices()] == [12_000]


async def test_bookings_and_a_price_change_at_once_leave_no_draft_at_the_old_price(practice: Any) -> None:
    await practice.with_prices()
    stories = [practice.story().booked() for _ in range(20)]
    dearer = NewPrice(VisitType.STANDARD, "EUR", 20_000, 1_900, None)
    hearing = [practice.hear(story.events) for story in stories]
    await asyncio.gather(*hearing[:10], practice.with_prices([dearer], seen=1), *hearing[10:])

    assert {invoice["net_minor"] for invoice in await practice.invoices()} == {20_000}
