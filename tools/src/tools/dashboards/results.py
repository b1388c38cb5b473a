"""The row of panels about results of analytics: whether they come, how late, and what counting them takes."""

from tools.dashboards.panels import FromPrometheus, Panel, Row, Unit, lines, quantiles

RESULTS = Row(
    "Do results of analytics come?",
    (
        Panel(
            "How far results lag behind",
            "From the time up to which everything was read until now, by metric.",
            "Above two minutes: a partition is not read, and no window of that metric becomes final.",
            Unit.SECONDS,
            lines("max by (metric) (bloom_analytics_watermark_lag_seconds)", "{{metric}}"),
            bad_from=120,
        ),
        Panel(
            "Oldest change that was not told",
            "For how long the oldest change of a window has waited to be published.",
            "Above ten seconds: workers count but do not publish.",
            Unit.SECONDS,
            lines("max(bloom_analytics_oldest_untold_seconds)", "waits"),
            bad_from=10,
        ),
        Panel(
            "Changed windows that were not told",
            "How many windows wait to be published, a thousand at most.",
            "It stays at a thousand: more windows change than are told.",
            Unit.NUMBER,
            lines("max(bloom_analytics_windows_untold)", "wait"),
            bad_from=1_000,
        ),
        Panel(
            "Time to count a fetch",
            "From a fetch until it is saved, the transaction included: the middle and the slowest of a hundred.",
            "The slowest stays above a second: PostgreSQL is slow, or workers wait for each other's rows.",
            Unit.SECONDS,
            quantiles("bloom_analytics_counting_seconds", "process", 0.5, 0.99),
            bad_from=1,
        ),
        Panel(
            "Events counted",
            "Events a second that were counted, and those that were left out because they had been counted before.",
            "Nothing while records wait; or repeated ones go on for long: a relay keeps starting anew.",
            Unit.PER_SECOND,
            (
                FromPrometheus("sum(rate(bloom_analytics_events_counted_total[$__rate_interval]))", "counted"),
                FromPrometheus(
                    "sum by (why) (rate(bloom_analytics_events_repeated_total[$__rate_interval]))", "repeated, by {{why}}"
                ),
                FromPrometheus("sum(rate(bloom_analytics_events_late_total[$__rate_interval]))", "late"),
                FromPrometheus("sum(rate(bloom_analytics_events_future_total[$__rate_interval]))", "from the future"),
            ),
        ),
        Panel(
            "Results published",
            "Results a second: updates of open windows, final ones, and corrections.",
            "Corrections for longer than after an outage: events come later than the allowed lateness.",
            Unit.PER_SECOND,
            lines("sum by (kind) (rate(bloom_analytics_results_total[$__rate_interval]))", "{{kind}}"),
        ),
    ),
)
