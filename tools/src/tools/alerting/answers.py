"""Rate, errors and duration of every service, and whether its processes run at all."""

from tools.alerting.rules import Alert, Group, Severity, Story

# Probes and scrapes are no requests of anybody: a service that is asked for nothing else has no traffic.
ASKED = 'route!~"/health/.*|/metrics"'
_REQUESTS = "bloom_http_requests_total"
_AUTH = 'service="auth",process="api",instance="a"'
_SERVED = f'{_REQUESTS}{{{_AUTH},method="GET",route="/api/x",status="200"}}'
_FAILED = f'{_REQUESTS}{{{_AUTH},method="GET",route="/api/x",status="503"}}'


def _buckets(fast: str, slow: str) -> dict[str, str]:
    """A histogram of requests of which `fast` took up to 0.2 s and all up to 1 s."""
    name = "bloom_http_request_seconds_bucket"
    labels = f'{_AUTH},method="GET",route="/api/x"'
    return {
        f'{name}{{{labels},le="0.2"}}': fast,
        f'{name}{{{labels},le="1"}}': slow,
        f'{name}{{{labels},le="+Inf"}}': slow,
    }


ANSWERS = Group(
    "answers",
    "Whether every service answers: rate, errors, duration, and its processes.",
    (
        Alert(
            "ServiceDown",
            "No process `{{ $labels.process }}` of {{ $labels.service }} can be reached.",
            'max by (service, process) (up{job="bloom"}) == 0',
            "2m",
            Severity.PAGE,
            "bloom-processes",
            fires=Story(
                {'up{job="bloom",service="auth",process="api",instance="a"}': "1 1 0x10"},
                "6m",
                ({"service": "auth", "process": "api"},),
            ),
            quiet=Story(
                {
                    'up{job="bloom",service="auth",process="api",instance="a"}': "0x10",
                    'up{job="bloom",service="auth",process="api",instance="b"}': "1x10",
                },
                "6m",
            ),
        ),
        Alert(
            "ProcessDown",
            "A process `{{ $labels.process }}` of {{ $labels.service }} cannot be reached.",
            'up{job="bloom"} == 0',
            "10m",
            Severity.TICKET,
            "bloom-processes",
            fires=Story(
                {'up{job="bloom",service="auth",process="api",instance="a"}': "0x20"},
                "15m",
                ({"job": "bloom", "service": "auth", "process": "api", "instance": "a"},),
            ),
            quiet=Story({'up{job="bloom",service="auth",process="api",instance="a"}': "0x8 1x12"}, "15m"),
        ),
        Alert(
            "TrafficStopped",
            "{{ $labels.service }} is asked for nothing, and was at this time yesterday.",
            f"sum by (service) (rate({_REQUESTS}{{{ASKED}}}[10m])) == 0"
            f" and sum by (service) (rate({_REQUESTS}{{{ASKED}}}[10m] offset 1d)) > 0.1",
            "10m",
            Severity.PAGE,
            "bloom-platform",
            fires=Story({_SERVED: "0+60x1440 86400x60"}, "24h30m", ({"service": "auth"},)),
            quiet=Story({_SERVED: "0+60x1500"}, "24h30m"),
        ),
        Alert(
            "RequestsFail",
            "More than 2 % of what {{ $labels.service }} is asked for ends in a server error.",
            f'sum by (service) (rate({_REQUESTS}{{{ASKED},status=~"5.."}}[5m]))'
            f" / sum by (service) (rate({_REQUESTS}{{{ASKED}}}[5m])) > 0.02",
            "5m",
            Severity.PAGE,
            "bloom-platform",
            fires=Story({_SERVED: "0+95x30", _FAILED: "0+5x30"}, "15m", ({"service": "auth"},)),
            quiet=Story({_SERVED: "0+99x30", _FAILED: "0+1x30"}, "15m"),
        ),
        Alert(
            "RequestsSlow",
            "One request in a hundred to {{ $labels.service }} takes longer than half a second.",
            "histogram_quantile(0.99, sum by (le, service) (rate("
            'bloom_http_request_seconds_bucket{route!~".*/stream"}[5m]))) > 0.5',
            "10m",
            Severity.TICKET,
            "bloom-platform",
            fires=Story(_buckets("0+90x40", "0+100x40"), "25m", ({"service": "auth"},)),
            quiet=Story(_buckets("0+100x40", "0+100x40"), "25m"),
        ),
        Alert(
            "UnexpectedErrors",
            "{{ $labels.service }} met an error that nobody had thought of at {{ $labels.route }}.",
            "sum by (service, route) (increase(bloom_unexpected_errors_total[15m])) > 0",
            "0m",
            Severity.TICKET,
            "bloom-platform",
            fires=Story(
                {f'bloom_unexpected_errors_total{{{_AUTH},route="/api/x"}}': "0x5 1x10"},
                "8m",
                ({"service": "auth", "route": "/api/x"},),
            ),
            quiet=Story({f'bloom_unexpected_errors_total{{{_AUTH},route="/api/x"}}': "3x40"}, "30m"),
        ),
        Alert(
            "DatabasePoolFull",
            "Every database connection of `{{ $labels.process }}` of {{ $labels.service }} is in use.",
            'sum by (service, process, instance) (bloom_database_connections{state="idle"}) == 0'
            ' and sum by (service, process, instance) (bloom_database_connections{state="used"}) > 0',
            "5m",
            Severity.TICKET,
            "bloom-processes",
            fires=Story(
                {
                    f'bloom_database_connections{{{_AUTH},state="used"}}': "8x20",
                    f'bloom_database_connections{{{_AUTH},state="idle"}}': "0x20",
                },
                "10m",
                ({"service": "auth", "process": "api", "instance": "a"},),
            ),
            quiet=Story(
                {
                    f'bloom_database_connections{{{_AUTH},state="used"}}': "8x3 2x17",
                    f'bloom_database_connections{{{_AUTH},state="idle"}}': "0x3 6x17",
                },
                "10m",
            ),
        ),
        Alert(
            "RateLimitsInMemory",
            "{{ $labels.service }} counts its rate limits in its own memory, because Valkey does not answer.",
            "sum by (service) (rate(bloom_rate_limit_fallbacks_total[5m])) > 0",
            "10m",
            Severity.TICKET,
            "bloom-platform",
            fires=Story({f"bloom_rate_limit_fallbacks_total{{{_AUTH}}}": "0+5x30"}, "20m", ({"service": "auth"},)),
            quiet=Story({f"bloom_rate_limit_fallbacks_total{{{_AUTH}}}": "0+5x3 15x30"}, "20m"),
        ),
    ),
)
