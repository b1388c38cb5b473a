"""The dashboard of processes: for each service and each of its processes whether it runs, what it does and what it takes."""

from tools.dashboards.panels import Dashboard, FromPrometheus, Kind, Panel, Row, Unit, lines, quantiles

_MINE = '{service=~"$service"}'
_WHO = "service, process, instance"
_LEGEND = "{{service}} {{process}} {{instance}}"

RUNS = Row(
    "Does it run?",
    (
        Panel(
            "Targets",
            "1 for each process that answers Prometheus, 0 for one that does not.",
            "A 0 for longer than a restart takes.",
            Unit.NUMBER,
            lines(f"min by ({_WHO}) (up{_MINE})", _LEGEND),
            width=12,
            bad_below=1,
        ),
        Panel(
            "Runs since",
            "For how long each process has run.",
            "It falls to nothing again and again: the process ends and is started anew.",
            Unit.SECONDS,
            lines(f"time() - max by ({_WHO}) (process_start_time_seconds{_MINE})", _LEGEND),
            width=12,
        ),
    ),
)

WORKS = Row(
    "What does it do?",
    (
        Panel(
            "Answers a second",
            "Requests that each process answers, probes and scrapes included.",
            "One of several gets all or nothing: the balance before them is wrong.",
            Unit.PER_SECOND,
            lines(f"sum by ({_WHO}) (rate(bloom_http_requests_total{_MINE}[$__rate_interval]))", _LEGEND),
        ),
        Panel(
            "Requests in hand",
            "Requests that are being worked on now.",
            "It grows and stays: something they wait for does not answer.",
            Unit.NUMBER,
            lines(f"sum by ({_WHO}) (bloom_http_requests_in_flight{_MINE})", _LEGEND),
        ),
        Panel(
            "Records a second",
            "Records that each worker brings to an end, by what became of them.",
            "Nothing while records wait.",
            Unit.PER_SECOND,
            lines(
                f"sum by (service, instance, outcome) (rate(bloom_consumer_records_total{_MINE}[$__rate_interval]))",
                "{{service}} {{instance}} {{outcome}}",
            ),
        ),
        Panel(
            "Rows sent a second",
            "Rows that each relay brings to Kafka.",
            "Nothing while rows wait.",
            Unit.PER_SECOND,
            lines(f"sum by ({_WHO}) (rate(bloom_relay_rows_sent_total{_MINE}[$__rate_interval]))", _LEGEND),
        ),
        Panel(
            "Time for one record",
            "The slowest of a hundred records, by consumer.",
            "It rises without more records: its database is slow.",
            Unit.SECONDS,
            quantiles("bloom_consumer_record_seconds", "consumer", 0.99),
        ),
        Panel(
            "Lake",
            "Records that are in no file yet, and seconds since files were last written.",
            "It has written nothing for three hours.",
            Unit.NUMBER,
            (
                FromPrometheus("max(bloom_lake_behind_records)", "records behind"),
                FromPrometheus("time() - max(bloom_lake_written_at_seconds)", "seconds since"),
            ),
            kind=Kind.NUMBERS,
        ),
    ),
)

TAKES = Row(
    "What does it take?",
    (
        Panel(
            "Memory of each",
            "Resident memory of each process.",
            "It only grows, day after day: a leak.",
            Unit.BYTES,
            lines(f"sum by ({_WHO}) (process_resident_memory_bytes{_MINE})", _LEGEND),
        ),
        Panel(
            "Processor of each",
            "Share of one core that each process takes.",
            "It stays near 1 while something waits: add a process.",
            Unit.SHARE,
            lines(f"sum by ({_WHO}) (rate(process_cpu_seconds_total{_MINE}[$__rate_interval]))", _LEGEND),
        ),
        Panel(
            "Open files",
            "Open files and connections, as a share of what the system allows the process.",
            "Above 80 %: it will refuse connections.",
            Unit.SHARE,
            lines(f"max by ({_WHO}) (process_open_fds{_MINE} / process_max_fds{_MINE})", _LEGEND),
            bad_from=0.8,
        ),
    ),
)

PROCESSES = Dashboard(
    "bloom-processes",
    "Bloom: processes",
    "One line for each process: choose a service, see which of its processes is down, idle, or at its limit.",
    (RUNS, WORKS, TAKES),
)
