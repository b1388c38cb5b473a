"""Whether events flow: outboxes, relays, consumers, dead letters, and the work that is done by the clock."""

from tools.alerting.rules import Alert, Group, Severity, Story

_RELAY = 'service="billing",process="relay",instance="a"'
_WORKER = 'service="billing",process="worker",instance="a"'
_RECORDS = f'bloom_consumer_records_total{{{_WORKER},consumer="billing",topic="bloom.appointments.v1",outcome="parked"}}'
_LAG = f'bloom_consumer_lag_records{{{_WORKER},topic="bloom.appointments.v1",partition="0"}}'


def _ages(fast: str, every: str) -> dict[str, str]:
    """Ages of events of which `fast` were handled within 2 s and all within 10 s."""
    labels = f'{_WORKER},consumer="billing",type="appointment.booked.v1"'
    name = "bloom_event_age_seconds_bucket"
    return {
        f'{name}{{{labels},le="2"}}': fast,
        f'{name}{{{labels},le="10"}}': every,
        f'{name}{{{labels},le="+Inf"}}': every,
    }


OUTBOX = (
    Alert(
        "OutboxOld",
        "The oldest event of {{ $labels.service }} has waited for more than 30 s to be sent.",
        "max by (service) (bloom_relay_lag_seconds) > 30",
        "2m",
        Severity.PAGE,
        "bloom-platform",
        fires=Story({f"bloom_relay_lag_seconds{{{_RELAY}}}": "0+60x10"}, "6m", ({"service": "billing"},)),
        quiet=Story({f"bloom_relay_lag_seconds{{{_RELAY}}}": "0 60 0 60 0 60 0 60"}, "7m"),
    ),
    Alert(
        "OutboxGrows",
        "{{ $labels.service }} makes events faster than they are sent, for a quarter of an hour.",
        "max by (service) (bloom_relay_lag_rows) > 5000 and max by (service) (deriv(bloom_relay_lag_rows[15m])) > 0",
        "15m",
        Severity.TICKET,
        "bloom-platform",
        fires=Story({f"bloom_relay_lag_rows{{{_RELAY}}}": "0+600x60"}, "40m", ({"service": "billing"},)),
        quiet=Story({f"bloom_relay_lag_rows{{{_RELAY}}}": "9000-100x60"}, "30m"),
    ),
    Alert(
        "NoActiveRelay",
        "No relay of {{ $labels.service }} holds the lease of its database: nothing is sent.",
        "max by (service) (bloom_relay_active) == 0",
        "1m",
        Severity.PAGE,
        "bloom-platform",
        fires=Story({f"bloom_relay_active{{{_RELAY}}}": "1x2 0x10"}, "6m", ({"service": "billing"},)),
        quiet=Story(
            {
                f"bloom_relay_active{{{_RELAY}}}": "0x10",
                'bloom_relay_active{service="billing",process="relay",instance="b"}': "1x10",
            },
            "6m",
        ),
    ),
    Alert(
        "TwoActiveRelays",
        "Two relays of {{ $labels.service }} both believe that they hold the lease.",
        "sum by (service) (bloom_relay_active) > 1",
        "2m",
        Severity.TICKET,
        "bloom-platform",
        fires=Story(
            {
                f"bloom_relay_active{{{_RELAY}}}": "1x10",
                'bloom_relay_active{service="billing",process="relay",instance="b"}': "1x10",
            },
            "6m",
            ({"service": "billing"},),
        ),
        quiet=Story(
            {
                f"bloom_relay_active{{{_RELAY}}}": "1x10",
                'bloom_relay_active{service="billing",process="relay",instance="b"}': "0 1 0x8",
            },
            "6m",
        ),
    ),
    Alert(
        "OutboxRowsParked",
        "The relay of {{ $labels.service }} put events aside that can never be sent: {{ $labels.reason }}.",
        "sum by (service, reason) (increase(bloom_relay_rows_parked_total[15m])) > 0",
        "0m",
        Severity.TICKET,
        "bloom-platform",
        fires=Story(
            {f'bloom_relay_rows_parked_total{{{_RELAY},reason="MSG_SIZE_TOO_LARGE"}}': "0x5 2x10"},
            "8m",
            ({"service": "billing", "reason": "MSG_SIZE_TOO_LARGE"},),
        ),
        quiet=Story({f'bloom_relay_rows_parked_total{{{_RELAY},reason="MSG_SIZE_TOO_LARGE"}}': "2x40"}, "30m"),
    ),
)

CONSUMERS = (
    Alert(
        "ConsumerBehind",
        "{{ $labels.service }} falls further behind on {{ $labels.topic }}.",
        "sum by (service, topic) (bloom_consumer_lag_records) > 1000"
        " and sum by (service, topic) (deriv(bloom_consumer_lag_records[10m])) > 0",
        "10m",
        Severity.PAGE,
        "bloom-platform",
        fires=Story({_LAG: "0+200x60"}, "30m", ({"service": "billing", "topic": "bloom.appointments.v1"},)),
        quiet=Story({_LAG: "9000-200x40"}, "20m"),
    ),
    Alert(
        "EventsOld",
        "One event in a hundred is older than 5 s when {{ $labels.consumer }} has handled it.",
        "histogram_quantile(0.99, sum by (le, consumer) (rate(bloom_event_age_seconds_bucket[5m]))) > 5",
        "10m",
        Severity.TICKET,
        "bloom-platform",
        fires=Story(_ages("0+90x40", "0+100x40"), "25m", ({"consumer": "billing"},)),
        quiet=Story(_ages("0+100x40", "0+100x40"), "25m"),
    ),
    Alert(
        "DeadLettersGrow",
        "{{ $labels.consumer }} parked records of {{ $labels.topic }} that it could not handle.",
        'sum by (consumer, topic) (increase(bloom_consumer_records_total{outcome="parked"}[15m])) > 0',
        "0m",
        Severity.TICKET,
        "bloom-platform",
        fires=Story({_RECORDS: "0x5 1x10"}, "8m", ({"consumer": "billing", "topic": "bloom.appointments.v1"},)),
        quiet=Story({_RECORDS: "7x40"}, "30m"),
    ),
    Alert(
        "DependencyAway",
        "What {{ $labels.consumer }} needs has been away for ten minutes; it waits and retries.",
        "sum by (consumer) (rate(bloom_consumer_retries_total[5m])) > 0",
        "10m",
        Severity.PAGE,
        "bloom-platform",
        fires=Story(
            {f'bloom_consumer_retries_total{{{_WORKER},consumer="billing"}}': "0+10x30"}, "20m", ({"consumer": "billing"},)
        ),
        quiet=Story({f'bloom_consumer_retries_total{{{_WORKER},consumer="billing"}}': "0+10x4 40x30"}, "20m"),
    ),
    Alert(
        "ChoresFail",
        "The chore {{ $labels.chore }} of {{ $labels.service }} fails again and again.",
        "sum by (service, chore) (increase(bloom_chore_failures_total[15m])) > 5",
        "5m",
        Severity.TICKET,
        "bloom-platform",
        fires=Story(
            {f'bloom_chore_failures_total{{{_WORKER},chore="reconcile"}}': "0+2x30"},
            "20m",
            ({"service": "billing", "chore": "reconcile"},),
        ),
        quiet=Story({f'bloom_chore_failures_total{{{_WORKER},chore="reconcile"}}': "0 1 1 2 2x30"}, "20m"),
    ),
)

FLOW = Group("flow", "Whether events flow from outbox to topic to consumer.", (*OUTBOX, *CONSUMERS))
