"""Answers questions about metrics out of windows, and never from events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from asyncpg import Record

from analytics.domain.metric import TENANT, Aggregate
from analytics.domain.questions import Question
from analytics.domain.readers import THERAPIST, Reader, SeriesNotFound
from analytics.domain.spans import Window
from analytics.repository.series_reads import Place, SeriesReads, window_of
from analytics.use_cases.points import Period, Point, Series, Tally, change_of, filled, period_of, running
from analytics.windows.contents import Contents
from service_kit.unit_of_work import UnitOfWork

Group: TypeAlias = tuple[int | None, Mapping[str, str]]
"""The number of a series and its dimensions; without a number nothing was ever counted in it."""


async def read_series(uow: UnitOfWork, question: Question, reader: Reader) -> list[Series]:
    """The series that are asked for and may be seen, in the order of their dimensions.

    Raises SeriesNotFound for groups that are not there, and TooManyPoints.
    """
    async with uow.begin() as transaction:
        reads = SeriesReads(transaction.connection)
        await reads.see_one_moment()
        groups = _groups(question, await reads.list_series(question.metric.name), reader)
        question.check_size(len(groups))
        current = await _periods(reads, question, groups, question.windows)
        previous = await _periods(reads, question, groups, question.previous) if question.previous else [None] * len(groups)
    return [
        Series(dimensions, now, before, change_of(question.metric, now, before) if before else None)
        for (_, dimensions), now, before in zip(groups, current, previous, strict=True)
    ]


def _groups(question: Question, known: Iterable[tuple[int, Mapping[str, str]]], reader: Reader) -> list[Group]:
    """The groups to answer with: the organisation and a therapist's own are there before anything was counted in them."""
    chosen = question.chosen
    groups: list[Group] = [(number, dimensions) for number, dimensions in known if chosen.takes(dimensions)]
    if groups:
        return groups
    if chosen.group == TENANT:
        return [(None, {})]
    if not reader.sees_all:
        return [(None, {THERAPIST: str(reader.therapist_id)})]
    if chosen.only:
        raise SeriesNotFound
    return []


async def _periods(reads: SeriesReads, question: Question, groups: Sequence[Group], windows: Sequence[Window]) -> list[Period]:
    """What each of the groups has in these windows."""
    numbers = [number for number, _ in groups if number is not None]
    tallies: dict[int, dict[Window, Tally]] = {}
    before: Mapping[int, Contents] = {}
    if numbers and windows:
        tallies = await _tallies(reads, question, numbers, windows[0].start, windows[-1].end)
        before = await reads.sum_before(numbers, question.span.name, windows[0].start) if question.is_cumulative else {}
    return [_period(question, windows, tallies.get(number or 0, {}), before.get(number or 0)) for number, _ in groups]


def _period(question: Question, windows: Sequence[Window], tallies: Mapping[Window, Tally], before: Contents | None) -> Period:
    metric, span = question.metric, question.span
    points: list[Point] = filled(metric, windows, tallies)
    if question.is_cumulative:
        base = before or Contents()
        points = running(metric, points, base.total if metric.aggregate is Aggregate.SUM else base.n)
    return period_of(metric, points, overlap=span.advance < span.length)


async def _tallies(
    reads: SeriesReads, question: Question, numbers: Sequence[int], start: datetime, end: datetime
) -> dict[int, dict[Window, Tally]]:
    asked = (numbers, question.span.name, start, end)
    rows = await reads.read_windows(*asked)
    aggregate = question.metric.aggregate
    buckets = await reads.read_buckets(*asked) if aggregate is Aggregate.PERCENTILES else {}
    has_parts = len(rows) > len({(row["series_id"], row["starts_at"]) for row in rows})
    members = await reads.read_members(*asked) if aggregate is Aggregate.DISTINCT and has_parts else {}
    tallies: dict[int, dict[Window, Tally]] = {}
    for row in rows:
        place, window = (row["series_id"], row["starts_at"]), window_of(row)
        of_series = tallies.setdefault(row["series_id"], {})
        of_series[window] = _added(of_series.get(window), row, window, _detail(place, buckets, members))
    return tallies


def _detail(place: Place, buckets: Mapping[Place, Mapping[int, int]], members: Mapping[Place, frozenset[bytes]]) -> Contents:
    return Contents(buckets=buckets.get(place, {}), members=members.get(place, frozenset()))


def _added(known: Tally | None, row: Record, window: Window, detail: Contents) -> Tally:
    """The window with one more part of it: sums add up, what is read whole counts once."""
    n, total = row["n"], row["total"]
    if known is not None:
        n, total = n + known.contents.n, total + known.contents.total
    if detail.members:
        n = len(detail.members)
    contents = replace(detail, n=n, total=total)
    was_final, revision = (known.is_final, known.revision) if known is not None else (False, 0)
    return Tally(window, contents, max(revision, row["revision"]), was_final or row["is_final"])
