"""The dashboard of the platform: whether it answers, whether the log flows, whether it is used."""

from tools.dashboards.panels import Dashboard, FromPrometheus, Kind, Panel, Row, Unit, counted, lines, quantiles, split_by
from tools.dashboards.results import RESULTS

_MINE = '{service=~"$service"}'

ANSWERS = Row(
    "Does it answer?",
    (
        Panel(
            "Processes that run",
            "How many processes of each service Prometheus reaches.",
            "A service has fewer than were deployed; none at all is an outage of that service.",
            Unit.NUMBER,
            lines('sum by (service, process) (up{service=~"$service"})', "{{service}} {{process}}"),
            kind=Kind.NUMBERS,
            width=24,
            bad_below=1,
        ),
        Panel(
            "Requests",
            "Answered requests a second, by service.",
            "It falls to nothing at a time of day when people are awake: the gateway or the network is gone.",
            Unit.PER_SECOND,
            lines(f"sum by (service) (rate(bloom_http_requests_total{_MINE}[$__rate_interval]))", "{{service}}"),
        ),
        Panel(
            "Share of server errors",
            "Of all answers, how many said 5xx.",
            "Above 1 % for five minutes. Look at the logs of that service by trace id.",
            Unit.SHARE,
            lines(
                'sum by (service) (rate(bloom_http_requests_total{service=~"$service", status=~"5.."}[$__rate_interval]))'
                f" / sum by (service) (rate(bloom_http_requests_total{_MINE}[$__rate_interval]))",
                "{{service}}",
            ),
            bad_from=0.01,
        ),
        Panel(
            "Time to answer",
            "The slowest of a hundred requests, by service.",
            "Above half a second for ten minutes: look at connections and at the database.",
            Unit.SECONDS,
            quantiles("bloom_http_request_seconds", "service", 0.5, 0.99, where=_MINE),
            bad_from=0.5,
        ),
        Panel(
            "Unexpected errors",
            "Requests in an hour that ended in an error nobody had thought of, by route.",
            "Ever. Each is a bug; the log has its trace id.",
            Unit.NUMBER,
            lines(f"sum by (service, route) (increase(bloom_unexpected_errors_total{_MINE}[1h])) > 0", "{{service}} {{route}}"),
            bad_from=1,
        ),
        Panel(
            "Refused by rate limits",
            "Decisions a second that refused somebody, by limit; and those taken without Valkey.",
            "A limit refuses all day (too tight, or an attack), or decisions fall back to memory for long: Valkey is away.",
            Unit.PER_SECOND,
            (
                FromPrometheus(
                    'sum by (limit) (rate(bloom_rate_limit_decisions_total{outcome="refused"}[$__rate_interval]))', "{{limit}}"
                ),
                FromPrometheus("sum(rate(bloom_rate_limit_fallbacks_total[$__rate_interval]))", "without Valkey"),
            ),
        ),
        Panel(
            "Tokens refused",
            "Access tokens a second that were not accepted, by service.",
            "A rise at once everywhere: the issuer's keys cannot be fetched, or clocks differ.",
            Unit.PER_SECOND,
            lines(
                'sum by (service) (rate(bloom_tokens_total{service=~"$service", outcome="refused"}[$__rate_interval]))',
                "{{service}}",
            ),
        ),
    ),
)

FLOWS = Row(
    "Does the log flow?",
    (
        Panel(
            "Oldest event that waits to be sent",
            "Age of the oldest row of each outbox.",
            "Above ten seconds: Kafka is away, or the relay is. Nothing is lost, but everything that follows is late.",
            Unit.SECONDS,
            lines(f"max by (service) (bloom_relay_lag_seconds{_MINE})", "{{service}}"),
            bad_from=10,
        ),
        Panel(
            "Events that wait to be sent",
            "Rows in each outbox.",
            "It grows for minutes: events are made faster than they are sent.",
            Unit.NUMBER,
            lines(f"max by (service) (bloom_relay_lag_rows{_MINE})", "{{service}}"),
            bad_from=10_000,
        ),
        Panel(
            "Active relays",
            "How many relays of each database hold its lease.",
            "It is not 1 for longer than a lease lasts. Several may run; one is active.",
            Unit.NUMBER,
            lines(f"sum by (service) (bloom_relay_active{_MINE})", "{{service}}"),
            bad_below=1,
        ),
        Panel(
            "Records that wait to be read",
            "Records between the last handled one and the end of the log, by service and topic.",
            "It grows for five minutes: the worker is down, slow, or waits for something that is away.",
            Unit.NUMBER,
            lines(f"sum by (service, topic) (bloom_consumer_lag_records{_MINE})", "{{service}} {{topic}}"),
            bad_from=10_000,
        ),
        Panel(
            "Age of events when handled",
            "From an event's time to the end of its handling, the slowest of a hundred, by consumer.",
            "Above ten seconds. During a replay it is as high as the events are old; then it says nothing.",
            Unit.SECONDS,
            quantiles("bloom_event_age_seconds", "consumer", 0.5, 0.99),
            bad_from=10,
        ),
        Panel(
            "Parked records",
            "Records and rows in an hour that could not be handled or sent, and wait for `redrive` or `requeue`.",
            "Ever: somebody has to read the reason in the dead letters, mend it, and redrive.",
            Unit.NUMBER,
            (
                FromPrometheus(
                    'sum by (consumer, topic) (increase(bloom_consumer_records_total{outcome="parked"}[1h])) > 0',
                    "{{consumer}} {{topic}}",
                ),
                FromPrometheus(
                    "sum by (service, reason) (increase(bloom_relay_rows_parked_total[1h])) > 0", "outbox of {{service}}"
                ),
            ),
            bad_from=1,
        ),
        Panel(
            "Retries",
            "Attempts a second that failed because something needed was away: by consumer, and by kind for relays.",
            "For longer than an outage that you know of.",
            Unit.PER_SECOND,
            (
                FromPrometheus("sum by (consumer) (rate(bloom_consumer_retries_total[$__rate_interval]))", "{{consumer}}"),
                FromPrometheus(
                    f"sum by (service, kind) (rate(bloom_relay_errors_total{_MINE}[$__rate_interval]))",
                    "relay of {{service}}: {{kind}}",
                ),
            ),
        ),
        Panel(
            "Chores that failed",
            "Rounds of work by the clock in an hour that failed and are tried again.",
            "The same chore again and again: reminders, purges or escalations are late.",
            Unit.NUMBER,
            lines("sum by (service, chore) (increase(bloom_chore_failures_total[1h])) > 0", "{{service}} {{chore}}"),
            bad_from=5,
        ),
        Panel(
            "Events seen twice",
            "Deliveries a second that the inbox knew already: they were dropped, as they should be.",
            "Never by itself. Much of it for long says that a relay or a worker keeps starting anew.",
            Unit.PER_SECOND,
            lines("sum by (consumer) (rate(bloom_consumer_duplicates_total[$__rate_interval]))", "{{consumer}}"),
        ),
    ),
)

RESOURCES = Row(
    "What it takes",
    (
        Panel(
            "Database connections in use",
            "Connections of the pools that work, by service and process.",
            "It stays at the size of the pool: requests wait for a connection.",
            Unit.NUMBER,
            lines(
                'sum by (service, process) (bloom_database_connections{service=~"$service", state="used"})',
                "{{service}} {{process}}",
            ),
        ),
        Panel(
            "Statements",
            "Statements a second that PostgreSQL did for each service, and those that failed.",
            "Failures for longer than an outage that you know of; ten times as many as requests: something asks row by row.",
            Unit.PER_SECOND,
            lines(
                f"sum by (service, outcome) (rate(bloom_database_statement_seconds_count{_MINE}[$__rate_interval]))",
                "{{service}} {{outcome}}",
            ),
        ),
        Panel(
            "Time of a statement",
            "The slowest of a hundred statements, by service.",
            "Above 100 ms for ten minutes: a missing index, a lock, or a disk that is busy.",
            Unit.SECONDS,
            quantiles("bloom_database_statement_seconds", "service", 0.5, 0.99, where=_MINE),
            bad_from=0.1,
        ),
        Panel(
            "Memory",
            "Resident memory, by service and process.",
            "It only grows, day after day: a leak.",
            Unit.BYTES,
            lines(f"sum by (service, process) (process_resident_memory_bytes{_MINE})", "{{service}} {{process}}"),
        ),
        Panel(
            "Processor",
            "Share of one core, by service and process.",
            "It stays near 1 and something waits: that process is the bottleneck, give it a second one.",
            Unit.SHARE,
            lines(
                f"sum by (service, process) (rate(process_cpu_seconds_total{_MINE}[$__rate_interval]))", "{{service}} {{process}}"
            ),
        ),
    ),
)

USED = Row(
    "Is it used?",
    (
        Panel(
            "Appointments by the hour",
            "What became of appointments in each hour, by the time at which it happened.",
            "Nothing is booked for hours by day, or cancellations exceed bookings.",
            Unit.NUMBER,
            tuple(counted(f"appointments.{what}", "hour") for what in ("booked", "cancelled", "completed", "missed")),
            kind=Kind.BARS,
        ),
        Panel(
            "Messages by the hour",
            "Messages sent, by who wrote them.",
            "Nothing by day while requests are answered: messaging or its relay stands still.",
            Unit.NUMBER,
            (counted("messages.sent", "hour", **split_by("author_role")),),
            kind=Kind.BARS,
        ),
        Panel(
            "People by the day",
            "Different people who signed in or wrote, sessions that were begun, and new accounts.",
            "Sudden steps: an outage of sign-in, or accounts made by a program.",
            Unit.NUMBER,
            (counted("people.active", "day"), counted("people.signed-in", "day"), counted("people.signed-up", "day")),
            kind=Kind.BARS,
        ),
    ),
)

PLATFORM = Dashboard(
    "bloom-platform",
    "Bloom: platform",
    "The first page to open: whether every service answers, whether events flow from one to the next, whether people use it.",
    (ANSWERS, FLOWS, RESULTS, RESOURCES, USED),
)
