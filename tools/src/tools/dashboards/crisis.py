"""The dashboard of the crisis path: from a message to a person who answers, hop by hop."""

from tools.dashboards.panels import Dashboard, FromPrometheus, Kind, Panel, Row, Unit, counted, lines, quantiles, split_by

NOW = Row(
    "Now",
    (
        Panel(
            "Open alerts",
            "Alerts that are not resolved, by level; `calling` ones have nobody yet.",
            "A critical or high one is `calling` for longer than its deadline: the on-call chain does not answer.",
            Unit.NUMBER,
            lines("max by (level, status) (bloom_alerts_open)", "{{level}} {{status}}"),
            kind=Kind.NUMBERS,
            width=12,
            bad_from=10,
        ),
        Panel(
            "Oldest message without a score",
            "Age of the oldest message in a worker's hand, and of the oldest whose key could not be had.",
            "Above 5 s. Past their deadline messages are raised as unscored: nobody is forgotten, people are called in vain.",
            Unit.SECONDS,
            (
                FromPrometheus("max(bloom_scoring_oldest_in_hand_seconds)", "in hand"),
                FromPrometheus("max(bloom_scoring_waiting_oldest_seconds)", "waits for its key"),
            ),
            kind=Kind.NUMBERS,
            width=6,
            bad_from=5,
        ),
        Panel(
            "Messages that missed their score",
            "Messages in an hour that had no score within their deadline, and were raised as unscored.",
            "Ever: the scorer is down or too slow.",
            Unit.NUMBER,
            lines("sum(increase(bloom_messages_unscored_total[1h]))", "unscored"),
            kind=Kind.NUMBERS,
            width=6,
            bad_from=1,
        ),
    ),
)

HOPS = Row(
    "Hop by hop",
    (
        Panel(
            "From message to score",
            "Seconds until a score is stored.",
            "p99 above 1 s for five minutes.",
            Unit.SECONDS,
            quantiles("bloom_scoring_age_seconds", "service", 0.5, 0.95, 0.99),
            bad_from=1,
        ),
        Panel(
            "From message to alert",
            "Seconds until an alert is raised, by what caused it.",
            "p99 of scored messages above 2 s. Unscored ones come after their deadline by design.",
            Unit.SECONDS,
            quantiles("bloom_alert_raised_seconds", "cause", 0.5, 0.99),
            bad_from=2,
        ),
        Panel(
            "From change to socket",
            "Seconds from a change to its being written to open connections: calls to therapists go this way.",
            "p99 above 1 s.",
            Unit.SECONDS,
            quantiles("bloom_socket_push_seconds", "service", 0.5, 0.99),
            bad_from=1,
        ),
        Panel(
            "From alert to answer",
            "Seconds until a person acknowledges, by level.",
            "The median of high or critical alerts rises above five minutes: too few people are on call, or calls do not arrive.",
            Unit.SECONDS,
            quantiles("bloom_alert_acknowledged_seconds", "level", 0.5, 0.9),
            bad_from=300,
        ),
        Panel(
            "Escalations behind their deadline",
            "How late the next person was called.",
            "Above 1 s: the clock of notifications is behind, or its database is slow.",
            Unit.SECONDS,
            quantiles("bloom_alert_escalation_late_seconds", "service", 0.5, 0.99),
            bad_from=1,
        ),
        Panel(
            "From cause to provider",
            "Seconds until a provider of mail, SMS or push had a notification, by channel.",
            "p99 of critical ones above 10 s: the provider is slow or away.",
            Unit.SECONDS,
            quantiles("bloom_notification_seconds", "channel", 0.5, 0.99, where='{urgency="critical"}'),
            bad_from=10,
        ),
        Panel(
            "Changes of alerts",
            "Alerts in an hour by what happened to them.",
            "Escalations exceed acknowledgements: the first in the chain do not answer.",
            Unit.NUMBER,
            lines("sum by (type) (increase(bloom_alert_changes_total[1h]))", "{{type}}"),
        ),
        Panel(
            "Notifications that did not arrive",
            "Notifications in an hour that failed or were given up, by channel and reason.",
            "Ever on SMS or push: somebody on call was not reached that way.",
            Unit.NUMBER,
            lines(
                'sum by (channel, status, reason) (increase(bloom_notifications_total{status=~"failed|unknown"}[1h])) > 0',
                "{{channel}} {{status}}: {{reason}}",
            ),
            bad_from=1,
        ),
        Panel(
            "Open sockets",
            "Connections of clients, and what looks found that no wake had told of.",
            "Connections fall to nothing, or looks find much: Valkey is away and pushes are late.",
            Unit.NUMBER,
            (
                FromPrometheus("sum(bloom_socket_connections)", "connections"),
                FromPrometheus("sum by (kind) (increase(bloom_socket_found_by_look_total[1h]))", "found by look: {{kind}}"),
            ),
        ),
    ),
)

DAYS = Row(
    "Day by day",
    (
        Panel(
            "Alerts raised",
            "Alerts by the day and level.",
            "Steps that no change of the model or its thresholds explains.",
            Unit.NUMBER,
            (counted("alerts.raised", "day", **split_by("level")),),
            kind=Kind.BARS,
        ),
        Panel(
            "Calls that nobody answered",
            "Escalations by the day and level.",
            "More than alerts on the same day: a chain is called to its end.",
            Unit.NUMBER,
            (counted("alerts.escalated", "day", **split_by("level")),),
            kind=Kind.BARS,
        ),
        Panel(
            "Change of open alerts",
            "By the day: raised less resolved.",
            "Above nothing day after day: alerts are answered but never resolved.",
            Unit.NUMBER,
            (counted("alerts.open", "day", column="total"),),
            kind=Kind.BARS,
        ),
    ),
)

CRISIS = Dashboard(
    "bloom-crisis",
    "Bloom: crisis path",
    "For whoever is on call for the platform: whether a person at risk reaches a person who helps, and which hop is slow.",
    (NOW, HOPS, DAYS),
)
