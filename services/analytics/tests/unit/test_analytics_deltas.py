"""What events add to windows: the same for any order and any split, by every metric, and only to windows of their own tenant."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.metric import PLATFORM, Aggregate
from analytics.domain.metrics import METRICS
from analytics.windows.contents import Contents, told
from analytics.windows.deltas import Deltas, WindowKey, WindowLibrary, dimensions_of, member_hash
from bloom_events.billing import InvoiceVoided

START = datetime(2030, 3, 30, 20, 0, tzinfo=UTC)
ZONES = {1: ZoneInfo("Europe/Berlin"), 2: ZoneInfo("America/New_York")}
Windows = dict[tuple[UUID, WindowKey], tuple[Contents, datetime]]

# Of whom, what, when in minutes, about whom, and how much: a small world, so that windows are shared.
facts = st.tuples(
    st.integers(0, 2), st.sampled_from(["booked", "missed", "completed", "opened", "paid", "signed_in"]), st.integers(0, 3000),
    st.integers(0, 3), st.integers(0, 10_000),
)  # fmt: skip


def library() -> WindowLibrary:
    return WindowLibrary(METRICS.values(), lambda tenant_id: ZONES.get(tenant_id.int, ZoneInfo("UTC")))


def event_of(tenant_of: Callable[[int], Any], fact: tuple[int, str, int, int, int]) -> Any:
    tenant, what, minutes, who, amount = fact
    happened, at = tenant_of(tenant), START + timedelta(minutes=minutes)
    if what in ("opened", "paid"):
        return getattr(happened, what)(at, amount)
    if what == "booked":
        return happened.booked(at, UUID(int=who), lead=timedelta(seconds=amount))
    return getattr(happened, what)(at, UUID(int=who))


def added(parts: Sequence[Deltas]) -> Windows:
    windows: Windows = {}
    for deltas in parts:
        for tenant_id, of_tenant in deltas.items():
            for key, delta in of_tenant.items():
                before, end = windows.get((tenant_id, key), (Contents(), delta.end))
                assert end == delta.end
                windows[tenant_id, key] = (before + delta.contents(), end)
    return windows


@settings(deadline=None)
@given(st.lists(facts, max_size=40), st.integers(0, 2**32), st.integers(1, 8))
def test_any_order_and_any_split_give_what_one_batch_gives(
    tenant_of: Callable[[int], Any], happenings: list[tuple[int, str, int, int, int]], seed: int, count: int
) -> None:
    events = [event_of(tenant_of, fact) for fact in happenings]
    whole = added([library().deltas_of(events)])

    rng = random.Random(seed)
    rng.shuffle(events)
    parts: list[list[Any]] = [[] for _ in range(count)]
    for event in events:
        rng.choice(parts).append(event)
    assert added([library().deltas_of(part) for part in parts]) == whole


@settings(deadline=None)
@given(st.lists(facts, min_size=1, max_size=40))
def test_the_platform_has_of_every_total_the_sum_over_all_tenants(
    tenant_of: Callable[[int], Any], happenings: list[tuple[int, str, int, int, int]]
) -> None:
    deltas = WindowLibrary(METRICS.values(), lambda _: ZoneInfo("UTC")).deltas_of(
        event_of(tenant_of, fact) for fact in happenings
    )
    for key, delta in deltas[PLATFORM].items():
        parts = [of_tenant[key] for tenant_id, of_tenant in deltas.items() if tenant_id != PLATFORM and key in of_tenant]
        assert delta.n == sum(part.n for part in parts)
        assert delta.total == sum(part.total for part in parts)
        assert sum(delta.buckets.values()) == sum(n for part in parts for n in part.buckets.values())
    assert not [key for key in deltas[PLATFORM] if "therapist_id" in key.dimensions], "no therapist is in the platform's totals"


def test_an_event_is_counted_for_its_tenant_for_its_therapist_and_in_every_span(happened: Any) -> None:
    therapist = UUID(int=7)
    deltas = library().deltas_of([happened.booked(START, therapist), happened.booked(START)])[happened.tenant_id]

    counted = {(key.dimensions, key.span): delta.n for key, delta in deltas.items() if key.metric == "appointments.booked"}
    mine = dimensions_of(METRICS["appointments.booked"], therapist, ("therapist_id",))
    assert {(mine, "minute"): 1, (mine, "hour"): 1, (mine, "day"): 1}.items() <= counted.items()
    assert {("{}", "minute"): 2, ("{}", "hour"): 2, ("{}", "day"): 2}.items() <= counted.items()


def test_a_day_begins_at_the_midnight_of_its_tenant(tenant_of: Callable[[int], Any]) -> None:
    at = datetime(2030, 3, 31, 3, 0, tzinfo=UTC)
    deltas = library().deltas_of([tenant_of(0).booked(at), tenant_of(1).booked(at)])

    starts = {
        tenant_id.int: key.start
        for tenant_id, of_tenant in deltas.items()
        for key in of_tenant
        if (key.metric, key.dimensions, key.span) == ("appointments.booked", "{}", "day")
    }
    assert starts == {
        0: datetime(2030, 3, 31, tzinfo=UTC),
        1: datetime(2030, 3, 30, 23, tzinfo=UTC),
        2: datetime(2030, 3, 30, 4, tzinfo=UTC),
    }


def test_a_person_counts_once_however_often_he_comes_and_is_not_to_be_found_in_the_window(happened: Any) -> None:
    person = UUID(int=99)
    deltas = library().deltas_of(
        [happened.signed_in(START, person), happened.signed_in(START, person), happened.signed_in(START)]
    )

    (contents,) = {
        (delta.contents().n, frozenset(delta.members))
        for key, delta in deltas[happened.tenant_id].items()
        if key.metric == "people.active"
    }
    assert contents[0] == 2
    assert person.bytes not in contents[1]
    assert member_hash(happened.tenant_id, "people.active", person) in contents[1]


def test_the_hash_of_a_person_is_another_one_for_another_tenant_and_another_metric(happened: Any) -> None:
    person = UUID(int=99)
    hashes = {member_hash(tenant, metric, person) for tenant in (happened.tenant_id, PLATFORM) for metric in ("a.b", "a.c")}

    assert len(hashes) == 4


def test_an_event_that_claims_to_be_of_the_platform_counts_once_there(tenant_of: Callable[[int], Any]) -> None:
    deltas = library().deltas_of([tenant_of(-1).booked(START)])

    assert {delta.n for delta in deltas[PLATFORM].values()} == {1}


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.smallest_group > 1])
def test_of_a_group_that_is_too_small_nothing_is_told(name: str) -> None:
    metric = METRICS[name]

    assert told(metric, Contents(metric.smallest_group - 1, 1)).count is None
    assert told(metric, Contents(metric.smallest_group - 1, 1)).is_suppressed
    assert told(metric, Contents(metric.smallest_group)).count == metric.smallest_group


def test_sums_and_percentiles_are_told_where_the_metric_has_them() -> None:
    by_aggregate = {metric.aggregate: metric for metric in METRICS.values()}
    contents = Contents(2, -3, {0: 2})
    found = {aggregate: told(metric, contents) for aggregate, metric in by_aggregate.items() if metric.smallest_group < 2}

    assert {aggregate for aggregate, what in found.items() if what.total == -3} == {Aggregate.SUM, Aggregate.SHARE}
    assert {aggregate for aggregate, what in found.items() if what.percentiles} == {Aggregate.PERCENTILES}


def outstanding(deltas: Deltas, tenant_id: Any) -> int:
    return sum(delta.total for key, delta in deltas[tenant_id].items() if key.metric == "revenue.outstanding")


def test_a_voided_draft_was_never_owed_and_a_voided_invoice_is_owed_no_more(happened: Any) -> None:
    amounts = {"currency": "EUR", "net_minor": 1000, "tax_minor": 0, "total_minor": 1000}
    draft = happened.like_the_example(InvoiceVoided, START, number=None, **amounts)
    issued = happened.like_the_example(InvoiceVoided, START, number="2030-2", **amounts)
    opened = happened.opened(START, 1000)

    assert outstanding(library().deltas_of([opened, draft]), happened.tenant_id) == 1000
    assert outstanding(library().deltas_of([opened, draft, issued]), happened.tenant_id) == 0


def test_a_sum_beyond_what_json_keeps_exactly_is_left_out() -> None:
    metric = METRICS["revenue.paid"]

    assert told(metric, Contents(2, 2**53)).total is None
    assert told(metric, Contents(2, 2**53 - 1)).total == 2**53 - 1
