"""Telling: what windows come to is published through the outbox, in the transaction that writes down that it was told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from analytics.clients import meters
from analytics.domain.metric import Aggregate, Metric
from analytics.domain.partitions import Place, watermarks_of
from analytics.domain.results import Kind, WindowPlace, window_id_of
from analytics.repository.partitions import note_caught_up, progress_of_all
from analytics.repository.windows import Row, WindowRepository, tenants_with_done, tenants_with_news, untold_figures
from analytics.windows.contents import told
from analytics.windows.deltas import ZoneOf
from bloom_events.analytics import WindowResult
from bloom_events.ids import TenantId
from service_kit.database import Pool
from service_kit.failpoints import Failpoint, no_failpoint
from service_kit.unit_of_work import Transaction, UnitOfWork

BATCH_WINDOWS = 500
"""Windows per transaction: some 30 ms, for as long as which nobody can add to them."""

KEPT_OPEN = timedelta(hours=1)
"""How long after its end a final window stays among the hot ones: most late events find it there."""

NOTHING_READ = datetime(1970, 1, 1, tzinfo=UTC)
"""The watermark of a metric that has none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingTools:
    """What publishing works with."""

    pool: Callable[[], Awaitable[Pool]]
    unit_of: Callable[[TenantId], Awaitable[UnitOfWork]]
    metrics: Mapping[str, Metric]
    zone_of: ZoneOf
    idle: timedelta = timedelta(seconds=10)
    allowed_lateness: timedelta = timedelta(seconds=30)
    update_every: timedelta = timedelta(seconds=1)
    batch_windows: int = BATCH_WINDOWS
    failpoint: Failpoint = no_failpoint


@dataclass(frozen=True, slots=True)
class _Round:
    """What one round goes by: the watermarks of the metrics, and from them which windows are over and which are done."""

    now: datetime
    watermarks: Mapping[str, datetime]
    closes: Mapping[str, datetime | None]
    done: Mapping[str, datetime]
    untold_until: datetime

    @property
    def ended_until(self) -> datetime:
        """The latest end that is final for any metric."""
        return max((each for each in self.closes.values() if each is not None), default=NOTHING_READ)


class Publishing:
    """Publishes results; several processes may do so at a time, for each takes windows that no other has."""

    def __init__(self, tools: PublishingTools) -> None:
        self._tools = tools

    async def note_caught_up(self, found: Mapping[Place, datetime]) -> None:
        """Write of which partitions nothing more was to be read, so that their silence holds no window open."""
        await note_caught_up(await self._tools.pool(), found)

    async def publish_due(self, now: datetime) -> datetime | None:
        """Publish all results that are due, put away what is done; gives when the next is due, if that is known."""
        pool = await self._tools.pool()
        this = await self._look(pool, now)
        for tenant_id in await tenants_with_news(pool, untold_until=this.untold_until, ended_until=this.ended_until):
            while await self._tell_some(tenant_id, this) == self._tools.batch_windows:
                pass
        for tenant_id in await tenants_with_done(pool, ended_until=max(this.done.values(), default=NOTHING_READ)):
            while await self._close_some(tenant_id, this) == self._tools.batch_windows:
                pass
        return await self._next_due(pool, this)

    async def _look(self, pool: Pool, now: datetime) -> _Round:
        tools = self._tools
        watermarks = watermarks_of(tools.metrics.values(), await progress_of_all(pool), tools.idle)
        for name, watermark in watermarks.items():
            meters.WATERMARK_LAG_SECONDS.labels(name).set(max(0.0, (now - watermark).total_seconds()))
        closes = {name: watermarks[name] - tools.allowed_lateness if name in watermarks else None for name in tools.metrics}
        done = {name: watermark - max(KEPT_OPEN, tools.allowed_lateness) for name, watermark in watermarks.items()}
        return _Round(now, watermarks, closes, done, now - tools.update_every)

    async def _next_due(self, pool: Pool, this: _Round) -> datetime | None:
        figures = await untold_figures(pool)
        meters.UNTOLD.set(figures.untold)
        meters.UNTOLD_SECONDS.set((this.now - figures.oldest).total_seconds() if figures.oldest else 0)
        return figures.oldest + self._tools.update_every if figures.oldest else None

    async def _tell_some(self, tenant_id: TenantId, this: _Round) -> int:
        """Publish results of one tenant in one transaction; gives how many."""
        unit = await self._tools.unit_of(tenant_id)
        async with unit.begin() as transaction:
            repository = WindowRepository(transaction.connection)
            rows = await repository.claim(
                this.closes,
                untold_until=this.untold_until,
                ended_until=this.ended_until,
                limit=self._tools.batch_windows,
            )
            if rows:
                await self._tell(transaction, repository, rows, this)
            self._tools.failpoint("told")
        self._tools.failpoint("told-after-commit")
        return len(rows)

    async def _tell(self, transaction: Transaction, repository: WindowRepository, rows: Sequence[Row], this: _Round) -> None:
        whole, corrections = await self._completed(repository, rows)
        kinds: list[Kind] = []
        results: list[WindowResult] = []
        after: list[Row] = []
        for row in whole:
            window, kind = row.window.told(this.closes[row.window.metric])
            kinds.append(kind)
            after.append(Row(window, row.contents))
            results.append(self._result(transaction.tenant_id, after[-1], this))
        if hot := [row.window for row in after if row.window.place not in corrections]:
            await repository.told(hot)
        if closed := [row for row in after if row.window.place in corrections]:
            await repository.correct(closed)
        await transaction.publish(*results)
        for kind in kinds:
            meters.RESULTS.labels(kind.value).inc()

    async def _completed(self, repository: WindowRepository, rows: Sequence[Row]) -> tuple[list[Row], set[WindowPlace]]:
        """The windows with all that they hold, the part that was put away included; and which of them were put away."""
        metrics = self._tools.metrics
        spread = [row.window.place for row in rows if metrics[row.window.metric].aggregate is Aggregate.PERCENTILES]
        buckets = await repository.buckets_of(spread) if spread else {}
        # Only a window that was never told from here can have a part elsewhere.
        untold = [row.window.place for row in rows if row.window.revision == 0]
        closed = await repository.closed_of(untold) if untold else {}
        members = await repository.members_of(list(closed)) if closed else {}
        whole = []
        for row in rows:
            place = row.window.place
            contents = replace(row.contents, buckets=buckets.get(place, {}), members=frozenset(members.get(place, ())))
            if place in closed:
                revision, before = closed[place]
                whole.append(Row(replace(row.window, revision=revision, is_final=True), before + contents))
            else:
                whole.append(Row(row.window, contents))
        return whole, set(closed)

    def _result(self, tenant_id: TenantId, row: Row, this: _Round) -> WindowResult:
        window, metric = row.window, self._tools.metrics[row.window.metric]
        said = told(metric, row.contents)
        return metric.publishes(
            window_id=window_id_of(tenant_id, window),
            metric=window.metric,
            dimensions=orjson.loads(window.dimensions),
            span=window.place.span,
            window_start=window.place.starts_at,
            window_end=window.ends_at,
            time_zone=self._tools.zone_of(tenant_id).key,
            revision=window.revision,
            is_final=window.is_final,
            watermark=max(NOTHING_READ, this.watermarks.get(window.metric, NOTHING_READ)),
            count=said.count,
            total=said.total,
            percentiles=said.percentiles,
            is_suppressed=said.is_suppressed,
        )

    async def _close_some(self, tenant_id: TenantId, this: _Round) -> int:
        """Put done windows of one tenant away in one transaction; gives how many."""
        unit = await self._tools.unit_of(tenant_id)
        async with unit.begin() as transaction:
            repository = WindowRepository(transaction.connection)
            places = await repository.claim_done(this.done, self._tools.batch_windows)
            if places:
                await repository.close(places, this.now)
        meters.CLOSED.inc(len(places))
        return len(places)
