"""Makes Grafana's JSON of dashboards, with Grafana's own SDK: layout, ids, legends, thresholds and variables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders import common, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as promql
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as drawn
from grafana_foundation_sdk.models import dashboard as model

from tools.dashboards.panels import Dashboard, FromAnalytics, FromPrometheus, Kind, Panel

POSTGRES = "grafana-postgresql-datasource"
PROMETHEUS = model.DataSourceRef(type_val="prometheus", uid="${prometheus}")
ANALYTICS = model.DataSourceRef(type_val=POSTGRES, uid="${analytics}")

# Tenants that the reader may see, the platform as a whole first; nobody writes one into a dashboard.
TENANTS = "select distinct tenant_id::text from dashboards.results order by 1"
SERVICES = "label_values(up, service)"


@dataclass(frozen=True, slots=True)
class Statement(Dataquery, Builder[Dataquery]):
    """A query of Grafana's PostgreSQL source, which the SDK has no class for."""

    sql: str
    ref_id: str

    def build(self) -> Dataquery:
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """What Grafana keeps of it; series are told apart by the text column."""
        return {
            "refId": self.ref_id,
            "datasource": ANALYTICS,
            "format": "time_series",
            "rawQuery": True,
            "editorMode": "code",
            "rawSql": self.sql,
        }


def to_json(dashboard: Dashboard) -> str:
    """The file of a dashboard; the same text for the same dashboard."""
    made = (
        build.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.says)
        .tags(["bloom"])
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(dashboard.since, "now")
        .refresh("1m")
        .timezone("browser")
        .variables(_variables(dashboard))
        .link(build.DashboardLink("Bloom").type(model.DashboardLinkType.DASHBOARDS).tags(["bloom"]).keep_time(True))
    )
    ids = count(1)
    for row in dashboard.rows:
        made = made.with_row(build.Row(row.title).id(next(ids)))
        for panel in row.panels:
            made = made.with_panel(_panel(panel).id(next(ids)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _variables(dashboard: Dashboard) -> list[Builder[model.VariableModel]]:
    queries = [query for panel in dashboard.panels for query in panel.queries]
    is_by_service = any("$service" in query.expression for query in queries if isinstance(query, FromPrometheus))
    prometheus = build.DatasourceVariable("prometheus").id("prometheus").label("Prometheus").type("prometheus")
    services = [_services()] if is_by_service else []
    if not any(isinstance(query, FromAnalytics) for query in queries):
        return [prometheus, *services]
    analytics = build.DatasourceVariable("analytics").id("analytics").label("Analytics").type(POSTGRES)
    return [prometheus, analytics, *services, _tenants()]


def _services() -> build.QueryVariable:
    every = model.VariableOption(selected=True, text="All", value="$__all")
    made = build.QueryVariable("service").id("service").label("Service").datasource(PROMETHEUS)
    made = made.query({"query": SERVICES, "refId": "services"}).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return made.multi(True).include_all(True).all_value(".*").current(every)


def _tenants() -> build.QueryVariable:
    made = build.QueryVariable("tenant").id("tenant").label("Tenant").datasource(ANALYTICS)
    return made.query(TENANTS).refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made: stat.Panel | timeseries.Panel = _numbers() if panel.kind is Kind.NUMBERS else _lines(panel)
    made = (
        made.title(panel.title)
        .description(f"{panel.shows}\n\nWorry when: {panel.worry}")
        .unit(panel.unit)
        .span(panel.width)
        .height(4 if panel.kind is Kind.NUMBERS else 8)
        .datasource(ANALYTICS if isinstance(panel.queries[0], FromAnalytics) else PROMETHEUS)
        .thresholds(_thresholds(panel))
    )
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        made = made.with_target(_target(query, letter))
    return made


def _numbers() -> stat.Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    return stat.Panel().reduce_options(last).color_mode(drawn.BigValueColorMode.VALUE)


def _lines(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(True).display_mode(drawn.LegendDisplayMode.LIST)
    drawing = timeseries.Panel().legend(legend.placement(drawn.LegendPlacement.BOTTOM))
    drawing = drawing.tooltip(common.VizTooltipOptions().mode(drawn.TooltipDisplayMode.MULTI).sort(drawn.SortOrder.DESCENDING))
    if panel.kind is Kind.BARS:
        return drawing.draw_style(drawn.GraphDrawStyle.BARS).fill_opacity(60)
    drawing = drawing.draw_style(drawn.GraphDrawStyle.LINE).fill_opacity(5)
    if panel.bad_from is None and panel.bad_below is None:
        return drawing
    style = common.GraphThresholdsStyleConfig().mode(drawn.GraphTresholdsStyleMode.DASHED)
    return drawing.thresholds_style(style)


def _thresholds(panel: Panel) -> Builder[model.ThresholdsConfig]:
    steps = [model.Threshold(color="green")]
    if panel.bad_from is not None:
        steps.append(model.Threshold(value=panel.bad_from, color="red"))
    if panel.bad_below is not None:
        steps = [model.Threshold(color="red"), model.Threshold(value=panel.bad_below, color="green")]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: FromPrometheus | FromAnalytics, letter: str) -> Builder[Dataquery]:
    if isinstance(query, FromAnalytics):
        return Statement(query.statement, letter)
    return promql.Dataquery().expr(query.expression).legend_format(query.legend).range().ref_id(letter).datasource(PROMETHEUS)
