"""The dashboard: one page with live charts, rendered from the catalogue, and the files it loads; no number is in it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

from fastapi import APIRouter, Response

from analytics.domain.metric import TENANT, Metric
from analytics.domain.metrics import METRICS
from service_kit.errors import NotFound
from service_kit.problems import problem_responses

dashboard = APIRouter(prefix="/api/analytics/dashboard", tags=["dashboard"])

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KEPT = "public, max-age=300"
_HTML, _SCRIPT, _STYLE = "text/html", "text/javascript", "text/css"

# Of these the sum over a range says little: what counts is where it has got to.
_RUNNING = frozenset({"alerts.open", "revenue.outstanding"})

_SECTION = """
    <section class="subject" aria-labelledby="subject-{id}"><h2 id="subject-{id}">{title}</h2>{cards}
    </section>"""
_CARD = """
      <article class="card" aria-labelledby="title-{id}" data-metric="{name}" data-label="{label}" data-aggregate="{aggregate}"
        data-unit="{unit}" data-steps="{steps}" data-group="{group}" data-running="{running}">
        <p class="eyebrow" aria-hidden="true">{subject}</p>
        <h3 id="title-{id}">{label}</h3><p class="says">{says}</p>
        <p class="figure"><strong>&ndash;</strong><span class="what"></span><span class="change"></span></p>
        <div class="chart" role="img" aria-label="{label}: not loaded yet"></div><ul class="legend" aria-hidden="true"></ul>
        <details><summary>As a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Table of {label}"><table>
          <caption>{label}, the newest first</caption><thead></thead><tbody></tbody></table></div></details>
      </article>"""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str


def _answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": "The file.", "content": {name: {"schema": {"type": "string"}} for name in media_types}}}


@dashboard.get("", response_class=Response, responses=_answers(_HTML))
async def get_dashboard() -> Response:
    """The page. It is the same for everybody; what it shows it asks for with the session of whoever looks."""
    return _answer(_File(_page(), _HTML))


@dashboard.get("/{file}", response_class=Response, responses={**_answers(_SCRIPT, _STYLE), **problem_responses(NotFound)})
async def get_dashboard_file(file: str) -> Response:
    """A script or a style sheet of the page."""
    found = _files().get(file)
    if found is None:
        raise NotFound
    return _answer(found)


def _answer(file: _File) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": _KEPT, "Cross-Origin-Opener-Policy": "same-origin"}
    return Response(file.content, media_type=file.media_type, headers=headers)


@cache
def _files() -> Mapping[str, _File]:
    """Every file that the page loads, by name; read once."""
    own, charts = files("analytics.routes").joinpath("page"), _chart_library()
    scripts = {name: own.joinpath(name).read_bytes() for name in ("session.js", "stream.js", "charts.js", "dashboard.js")}
    return {
        **{name: _File(content, _SCRIPT) for name, content in scripts.items()},
        "dashboard.css": _File(own.joinpath("dashboard.css").read_bytes(), _STYLE),
        "uplot.js": _File((charts / "uPlot.iife.min.js").read_bytes(), _SCRIPT),
        "uplot.css": _File((charts / "uPlot.min.css").read_bytes(), _STYLE),
    }


def _chart_library() -> Path:
    """Where the installed package keeps uPlot's files (MIT), found without importing it."""
    found = importlib.util.find_spec("metaflow_extensions")
    for folder in (found and found.submodule_search_locations) or ():
        charts = Path(folder) / "card_uplot/plugins/cards/uplot/uplot"
        if charts.is_dir():
            return charts
    raise FileNotFoundError("the package metaflow-card-uplot, which carries uPlot, is not installed")


@cache
def _page() -> bytes:
    subjects = groupby(METRICS.values(), key=lambda metric: metric.name.partition(".")[0])
    sections = [
        _SECTION.format(id=subject, title=subject.title(), cards="".join(_card(metric) for metric in metrics))
        for subject, metrics in subjects
    ]
    template = files("analytics.routes").joinpath("page/dashboard.html").read_text()
    return Template(template).substitute(sections="\n".join(sections)).encode()


def _card(metric: Metric) -> str:
    """The frame of one chart; what is split by its first grouping alone has a line for each of its values."""
    group = "" if TENANT in metric.groupings else metric.groupings[0][0]
    facts = {
        "id": metric.name.replace(".", "-"),
        "name": metric.name,
        "subject": metric.name.partition(".")[0],
        "label": metric.name.partition(".")[2].replace("-", " ").capitalize(),
        "says": metric.says,
        "aggregate": metric.aggregate.value,
        "unit": metric.unit.value,
        "steps": " ".join(span.name for span in metric.spans),
        "group": group,
        "running": "yes" if metric.name in _RUNNING else "",
    }
    return _CARD.format(**{name: escape(text) for name, text in facts.items()})
