"""The tables of docs/dashboards.md: of every panel what it is for and when to worry."""

from collections.abc import Sequence

from tools.dashboards.panels import Dashboard, FromAnalytics, Panel


def tables(dashboards: Sequence[Dashboard]) -> str:
    """A section a dashboard, a table a row, a line a panel."""
    return "\n\n".join(_section(dashboard) for dashboard in dashboards)


def _section(dashboard: Dashboard) -> str:
    parts = [f"## {dashboard.title.removeprefix('Bloom: ').capitalize()}", f"`/d/{dashboard.uid}`. {dashboard.says}"]
    for row in dashboard.rows:
        head = f"### {row.title}\n\n| panel | shows | worry when | from |\n|---|---|---|---|"
        parts.append("\n".join([head, *(_line(panel) for panel in row.panels)]))
    return "\n\n".join(parts)


def _line(panel: Panel) -> str:
    source = "analytics" if isinstance(panel.queries[0], FromAnalytics) else "Prometheus"
    return f"| {panel.title} | {panel.shows} | {panel.worry} | {source} |"
