"""The dashboard of money: what is invoiced, paid and owed, and whether visits become invoices."""

from tools.dashboards.panels import Dashboard, FromAnalytics, Kind, Panel, Row, Unit, counted, lines, quantiles, split_by

_BY_CURRENCY = split_by("currency")

# What is owed is a running total of changes, so it is summed from the first day on and only then cut to the time shown.
_OWED = """select time, series, value from (
  select starts_at as time, dimensions ->> 'currency' as series,
    sum(total) over (partition by dimensions ->> 'currency' order by starts_at) as value
  from dashboards.results
  where tenant_id = ${tenant:sqlstring}::uuid and metric = 'revenue.outstanding' and span = 'day' and dimensions ? 'currency'
) as owed
where $__timeFilter(time)
order by time"""

_MISSED = """select ends_at as time, 'missed' as series, total::float / count as value
from dashboards.results
where tenant_id = ${tenant:sqlstring}::uuid and metric = 'appointments.no-show-rate' and span = 'week-by-day'
  and dimensions = '{}' and count > 0 and $__timeFilter(ends_at)
order by ends_at"""

AMOUNTS = Row(
    "Amounts, in each currency's smallest unit (cents)",
    (
        Panel(
            "Invoiced",
            "Sums of the invoices opened on a day, by currency.",
            "Nothing on a day with completed visits.",
            Unit.NUMBER,
            (counted("revenue.invoiced", "day", column="total", **_BY_CURRENCY),),
            kind=Kind.BARS,
        ),
        Panel(
            "Paid",
            "Sums of the payments of a day, by currency.",
            "It falls while as much is invoiced as before: payments are not noted, or not made.",
            Unit.NUMBER,
            (counted("revenue.paid", "day", column="total", **_BY_CURRENCY),),
            kind=Kind.BARS,
        ),
        Panel(
            "Owed",
            "What was owed at the end of each day: invoiced, less paid, voided and credited.",
            "It grows for weeks. Below nothing cannot be: more was paid than was ever invoiced; look at the ledger.",
            Unit.NUMBER,
            (FromAnalytics(_OWED),),
        ),
    ),
)

VISITS = Row(
    "Visits behind the amounts",
    (
        Panel(
            "Visits by the day",
            "Visits that took place, were missed or cancelled.",
            "Completed visits without invoices on the same day.",
            Unit.NUMBER,
            tuple(counted(f"appointments.{what}", "day") for what in ("completed", "missed", "cancelled")),
            kind=Kind.BARS,
            width=12,
        ),
        Panel(
            "Share of missed visits",
            "Of the visits due in the seven days before each midnight, the share to which the patient did not come.",
            "Above 20 %: reminders may not arrive; look at notifications on the crisis page.",
            Unit.SHARE,
            (FromAnalytics(_MISSED),),
            width=12,
            bad_from=0.2,
        ),
    ),
)

BILLING = Row(
    "Does billing keep up?",
    (
        Panel(
            "From visit to invoice",
            "Age of events when billing has handled them.",
            "p99 above 10 s; invoices are late by that much.",
            Unit.SECONDS,
            quantiles("bloom_event_age_seconds", "type", 0.5, 0.99, where='{consumer="billing"}'),
            bad_from=10,
        ),
        Panel(
            "Records by outcome",
            "What billing's worker did with records.",
            "Anything parked: a visit without an invoice until it is redriven.",
            Unit.PER_SECOND,
            lines(
                'sum by (topic, outcome) (rate(bloom_consumer_records_total{consumer="billing"}[$__rate_interval]))',
                "{{topic}} {{outcome}}",
            ),
        ),
        Panel(
            "Requests to billing that failed",
            "Requests an hour that were answered with 4xx or 5xx, by route and status.",
            "Anything with 5xx; 409 and 412 are people who worked on the same invoice.",
            Unit.NUMBER,
            lines(
                'sum by (route, status) (increase(bloom_http_requests_total{service="billing", status=~"4..|5.."}[1h])) > 0',
                "{{status}} {{route}}",
            ),
        ),
    ),
)

MONEY = Dashboard(
    "bloom-money",
    "Bloom: money",
    "For operators of billing: what is invoiced, paid and owed day by day, and whether visits become invoices in time.",
    (AMOUNTS, VISITS, BILLING),
    since="now-30d",
)
