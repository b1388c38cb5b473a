"""The window library, without any server, makes of every subject's events what a batch in SQL makes of them, bit for bit."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.faults.many_events import Crowd, random_crowd
from tests.faults.told_events import Teller
from tests.faults.window_batch import EVERYBODY, QUANTILES, Batch, microseconds
from tests.faults.window_findings import Findings

from analytics.domain.metrics import METRICS
from analytics.windows.contents import told
from analytics.windows.deltas import Deltas, WindowLibrary
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.registry import UnknownEventType, unwrap

EVENTS, PORTIONS = 3_000, 4
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "Atlantic/Azores")


class Told:
    """Events that were told badly: the batch about them, and each of them once."""

    def __init__(self, seed: int, folder) -> None:
        rng = random.Random(seed)
        self.crowds = [random_crowd(rng, zone) for zone in ZONES]
        self.batch = Batch(folder, {crowd.tenant_id: crowd.zone for crowd in self.crowds})
        self.findings = Findings(self.batch, [*(crowd.tenant_id for crowd in self.crowds), EVERYBODY], folder)
        teller = Teller(rng, self.crowds, NOW)
        records = [one for number in range(1, PORTIONS + 1) for one in teller.portion(number, of=PORTIONS, events=EVENTS)]
        self.batch.add(records)
        self.different = self.batch.reckon()
        self.repeated = len(records) - self.different
        self.events: dict[object, Envelope[Event]] = {}
        for record in records:
            try:
                self.events.setdefault(record.event_id, unwrap(record.headers, record.value))
            except UnknownEventType:
                continue

    def take(self, deltas: Deltas) -> list[str]:
        """What is wrong with these windows."""
        tables = defaultdict(list, {"windows": [], "buckets": [], "members": [], "results": []})
        for name, row in rows_of(deltas):
            tables[name].append(row)
        results = tables.pop("results")
        self.findings.take_state(tables)
        self.findings.take("results", results)
        return [
            *self.findings.wrong_state(),
            *self.findings.wrong_results(lateness=timedelta(), asked_at=datetime(2027, 1, 1, tzinfo=UTC)),
        ]


def library_of(crowds: list[Crowd]) -> WindowLibrary:
    zones = {crowd.tenant_id: ZoneInfo(crowd.zone) for crowd in crowds}
    return WindowLibrary(METRICS.values(), lambda tenant_id: zones.get(tenant_id, ZoneInfo("UTC")))


def rows_of(deltas: Deltas) -> Iterator[tuple[str, dict[str, object]]]:
    """Rows as the tables and the results would have them."""
    for tenant_id, windows in deltas.items():
        for key, delta in windows.items():
            contents, said = delta.contents(), told(METRICS[key.metric], delta.contents())
            named = {"metric": key.metric, "dimensions": key.dimensions, "span": key.span, "starts_at": microseconds(key.start)}
            window = {"tenant_id": str(tenant_id), **named}
            ends = {"ends_at": microseconds(delta.end), "revision": 1, "is_final": True}
            yield "windows", {**window, **ends, "n": contents.n, "total": contents.total, "is_closed": False}
            for bucket, n in contents.buckets.items():
                yield "buckets", {**window, "bucket": bucket, "n": n}
            for member in contents.members:
                yield "members", {**window, "member": member.hex()}
            shares = said.percentiles.model_dump() if said.percentiles else dict.fromkeys(QUANTILES)
            numbers = {"count": said.count, "told_total": said.total, "is_suppressed": said.is_suppressed}
            yield "results", {**window, **ends, **numbers, **shares}


@pytest.fixture(scope="module")
def badly_told(tmp_path_factory) -> Told:
    return Told(11, tmp_path_factory.mktemp("batch"))


@pytest.mark.parametrize("seed", [1, 2])
def test_windows_buckets_members_and_results_are_those_of_the_batch(seed, tmp_path):
    badly_told = Told(seed, tmp_path)
    deltas = library_of(badly_told.crowds).deltas_of(badly_told.events.values())
    assert badly_told.take(deltas) == []
    assert badly_told.repeated > EVENTS // 50
    assert badly_told.different == EVENTS
    assert badly_told.findings.figures()["buckets"]


def test_an_event_that_is_counted_twice_is_noticed(badly_told):
    events = list(badly_told.events.values())
    booked = next(each for each in events if each.type == "appointment.booked.v1")
    wrong = badly_told.take(library_of(badly_told.crowds).deltas_of([*events, booked]))
    assert any("windows differ" in each for each in wrong)
    assert any("buckets differ" in each for each in wrong)
    assert any("results differ" in each for each in wrong)


def test_an_event_that_is_missing_is_noticed(badly_told):
    events = [each for each in badly_told.events.values() if each.type != "session.started.v1"]
    assert any("windows differ" in each for each in badly_told.take(library_of(badly_told.crowds).deltas_of(events)))


def test_a_value_in_the_neighbouring_bucket_is_noticed(badly_told):
    events = [
        replace(each, data=each.data.model_copy(update={"scored_at": each.data.scored_at + timedelta(seconds=1)}))
        if each.type == "risk.scored.v1"
        else each
        for each in badly_told.events.values()
    ]
    wrong = badly_told.take(library_of(badly_told.crowds).deltas_of(events))
    assert [each.split(" differ")[0].split()[1] for each in wrong] == ["buckets", "results"]


def test_days_by_the_clock_of_another_zone_are_noticed(badly_told):
    moved = [replace(crowd, zone="Asia/Kathmandu") for crowd in badly_told.crowds]
    deltas = library_of(moved).deltas_of(badly_told.events.values())
    assert any("windows differ" in each for each in badly_told.take(deltas))
