"""The dashboard of promises: how fast each uses up what a month allows, and what runs out meanwhile."""

from tools.alerting.objectives import BUDGET, RATIO
from tools.dashboards.panels import Dashboard, FromPrometheus, Kind, Panel, Row, Unit, lines

_SPANS = (("1h", "1h"), ("6h", "6h"), ("3d", "3d"))


def _burning(window: str) -> str:
    return f"max by (slo) ({RATIO}{window}) / on (slo) max by (slo) ({BUDGET})"


PROMISES = Row(
    "Promises",
    (
        Panel(
            "Burn rate",
            "How many times faster than evenly each promise uses up its month's budget: over an hour, six hours, three days.",
            "Above 14.4 over an hour or 6 over six hours (people are woken), above 1 over three days (a ticket).",
            Unit.NUMBER,
            tuple(FromPrometheus(_burning(window), f"{{{{slo}}}} {name}") for window, name in _SPANS),
            width=12,
            bad_from=6,
        ),
        Panel(
            "Budget left",
            "What share of three days' budget each promise has left: 1 is untouched, below 0 more was used than there was.",
            "It falls below nothing: releases of that part wait, but for mends.",
            Unit.SHARE,
            lines(f"1 - {_burning('3d')}", "{{slo}}"),
            kind=Kind.NUMBERS,
            width=12,
            bad_below=0,
        ),
        Panel(
            "Bad by service",
            "The share of bad requests of the last hour, by promise and service.",
            "One service stands out: open the runbook of its alert.",
            Unit.SHARE,
            lines(f'max by (slo, service) ({RATIO}1h{{service!=""}})', "{{slo}} {{service}}"),
            width=24,
        ),
    ),
)

AGREES = Row(
    "What must agree, and what runs out",
    (
        Panel(
            "Books",
            "Visits and invoices by what billing found when it compared its books.",
            "`completed_without_invoice` or `differs_from_journal` is above nothing: never mend that by hand.",
            Unit.NUMBER,
            lines("max by (finding) (bloom_billing_reconciliation_findings)", "{{finding}}"),
            kind=Kind.NUMBERS,
            bad_from=1,
        ),
        Panel(
            "Days until a certificate expires",
            "Of the gateway's certificates the one that ends first.",
            "Below 21: renewal has not taken place. Below 3 people are woken.",
            Unit.NUMBER,
            lines("min(envoy_server_days_until_first_cert_expiring)", "days"),
            kind=Kind.NUMBERS,
            bad_below=21,
        ),
        Panel(
            "Age of the last backup",
            "Seconds since a backup last succeeded.",
            "Above 26 hours, or no figure at all where there are real patients.",
            Unit.SECONDS,
            lines("time() - max(bloom_backup_last_success_timestamp_seconds)", "last backup"),
            kind=Kind.NUMBERS,
            bad_from=26 * 3600,
        ),
    ),
)

OBJECTIVES = Dashboard(
    "bloom-slo",
    "Bloom: promises",
    "For who decides whether to release or to mend: what was promised, how much of it is used up, and what runs out.",
    (PROMISES, AGREES),
    since="now-3d",
)
