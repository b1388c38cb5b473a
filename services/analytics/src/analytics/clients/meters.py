"""What operators see of windows: what was counted, what came twice, late or from the future, what is told. No ids, no names."""

from __future__ import annotations

from service_kit.metrics import counter, gauge, histogram

COUNTED = counter("analytics_events_counted", "Events that were added to windows, each once.")
REPEATED = counter("analytics_events_repeated", "Events that were not added, by why: offset was passed, or id was known.", "why")
LATE = counter("analytics_events_late", "Events that came after their partition's watermark and the allowed lateness.")
FUTURE = counter(
    "analytics_events_future", "Events further in the future than clocks drift; they are counted and move no watermark."
)
WINDOWS_CHANGED = histogram(
    "analytics_windows_changed", "Windows that a fetch added to.", buckets=(1, 10, 50, 200, 1000, 5000, 20_000)
)
COUNTING_SECONDS = histogram("analytics_counting_seconds", "Seconds of the transaction that counts a fetch.")

RESULTS = counter("analytics_results", "Results that were published, by kind: update, final, correction.", "kind")
UNTOLD = gauge("analytics_windows_untold", "Windows whose newest state was not published yet, up to a thousand.")
UNTOLD_SECONDS = gauge("analytics_oldest_untold_seconds", "For how long the oldest of them has waited.")
WATERMARK_LAG_SECONDS = gauge(
    "analytics_watermark_lag_seconds", "By how much a metric's watermark is behind the clock.", "metric"
)
CLOSED = counter("analytics_windows_closed", "Final windows that were put out of the way.")
