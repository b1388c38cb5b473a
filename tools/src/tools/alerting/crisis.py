"""The crisis path: from a message to a person who answers. Every alert here may mean that somebody at risk waits."""

from tools.alerting.rules import Alert, Group, Severity, Story

_SCORER = 'service="ml-scoring",process="worker",instance="a"'
_CALLER = 'service="notifications",process="worker",instance="a"'
_CALLS = 'template=~"alert_called|alert_handed_over"'


def _histogram(name: str, labels: str, *, good: str, bad: str, fast: str, every: str) -> dict[str, str]:
    """A histogram of which `fast` lies in the bucket `good`, and all in the bucket `bad`."""
    return {
        f'{name}_bucket{{{labels},le="{good}"}}': fast,
        f'{name}_bucket{{{labels},le="{bad}"}}': every,
        f'{name}_bucket{{{labels},le="+Inf"}}': every,
    }


def _raised(fast: str, every: str) -> dict[str, str]:
    return _histogram("bloom_alert_raised_seconds", f'{_CALLER},cause="risk"', good="1", bad="5", fast=fast, every=every)


def _late(fast: str, every: str) -> dict[str, str]:
    return _histogram("bloom_alert_escalation_late_seconds", _CALLER, good="0.5", bad="5", fast=fast, every=every)


def _pushed(fast: str, every: str) -> dict[str, str]:
    labels = 'service="messaging",process="socket",instance="a"'
    return _histogram("bloom_socket_push_seconds", labels, good="0.5", bad="2.5", fast=fast, every=every)


def _notified(channel: str, status: str) -> str:
    labels = f'channel="{channel}",template="alert_called",status="{status}",reason="none"'
    return f"bloom_notifications_total{{{_CALLER},{labels}}}"


SCORES = (
    Alert(
        "MessagesUnscored",
        "Messages had no score within their deadline and were raised as unscored.",
        "sum(increase(bloom_messages_unscored_total[10m])) > 0",
        "0m",
        Severity.PAGE,
        "bloom-crisis",
        fires=Story({f"bloom_messages_unscored_total{{{_CALLER}}}": "0x3 2x10"}, "6m", ({},)),
        quiet=Story({f"bloom_messages_unscored_total{{{_CALLER}}}": "2x30"}, "20m"),
    ),
    Alert(
        "ScoringBehind",
        "A message has waited for its score for more than 5 s.",
        "max(bloom_scoring_oldest_in_hand_seconds) > 5 or max(bloom_scoring_waiting_oldest_seconds) > 5",
        "1m",
        Severity.PAGE,
        "bloom-crisis",
        fires=Story(
            {
                f"bloom_scoring_oldest_in_hand_seconds{{{_SCORER}}}": "0x10",
                f"bloom_scoring_waiting_oldest_seconds{{{_SCORER}}}": "0+60x10",
            },
            "5m",
            ({},),
        ),
        quiet=Story(
            {
                f"bloom_scoring_oldest_in_hand_seconds{{{_SCORER}}}": "1x10",
                f"bloom_scoring_waiting_oldest_seconds{{{_SCORER}}}": "0 8 0x8",
            },
            "5m",
        ),
    ),
    Alert(
        "NoModelServes",
        "No process holds a risk model: every message will be raised as unscored.",
        'sum(bloom_scoring_model_loaded) == 0 or (sum(up{job="bloom",service="ml-scoring"}) > 0'
        " unless sum(bloom_scoring_model_loaded))",
        "2m",
        Severity.PAGE,
        "bloom-model",
        fires=Story({f'up{{job="bloom",{_SCORER}}}': "1x10"}, "5m", ({},)),
        quiet=Story(
            {
                f'up{{job="bloom",{_SCORER}}}': "1x10",
                f'bloom_scoring_model_loaded{{{_SCORER},name="risk",version="1"}}': "1x10",
            },
            "5m",
        ),
    ),
)

ANSWERED = (
    Alert(
        "AlertsRaisedLate",
        "One alert in a hundred is raised later than 2.5 s after its message.",
        'histogram_quantile(0.99, sum by (le) (rate(bloom_alert_raised_seconds_bucket{cause="risk"}[10m]))) > 2.5',
        "5m",
        Severity.PAGE,
        "bloom-crisis",
        fires=Story(_raised("0+9x40", "0+10x40"), "20m", ({},)),
        quiet=Story(_raised("0+10x40", "0+10x40"), "20m"),
    ),
    Alert(
        "AlertUnanswered",
        "The whole chain was called to a {{ $labels.level }} alert and nobody has answered.",
        "max by (level) (bloom_alerts_unanswered) > 0",
        "0m",
        Severity.PAGE,
        "bloom-crisis",
        fires=Story({f'bloom_alerts_unanswered{{{_CALLER},level="high"}}': "0x3 1x5"}, "5m", ({"level": "high"},)),
        quiet=Story(
            {
                f'bloom_alerts_unanswered{{{_CALLER},level="high"}}': "0x10",
                f'bloom_alerts_open{{{_CALLER},level="high",status="calling"}}': "3x10",
            },
            "5m",
        ),
    ),
    Alert(
        "EscalationsLate",
        "One escalation in a hundred comes more than 1 s after its deadline.",
        "histogram_quantile(0.99, sum by (le) (rate(bloom_alert_escalation_late_seconds_bucket[10m]))) > 1",
        "5m",
        Severity.PAGE,
        "bloom-crisis",
        fires=Story(_late("0+9x40", "0+10x40"), "20m", ({},)),
        quiet=Story(_late("0+10x40", "0+10x40"), "20m"),
    ),
    Alert(
        "CallsDoNotArrive",
        "More than one in ten calls to an alert by {{ $labels.channel }} does not arrive.",
        f'sum by (channel) (rate(bloom_notifications_total{{{_CALLS},status="failed"}}[15m]))'
        f' / sum by (channel) (rate(bloom_notifications_total{{{_CALLS},status=~"sent|failed"}}[15m])) > 0.1',
        "5m",
        Severity.PAGE,
        "bloom-crisis",
        fires=Story({_notified("sms", "failed"): "0+2x40", _notified("sms", "sent"): "0+8x40"}, "25m", ({"channel": "sms"},)),
        quiet=Story({_notified("sms", "failed"): "0x40", _notified("sms", "sent"): "0+8x40"}, "25m"),
    ),
    Alert(
        "PushesLate",
        "One change in a hundred reaches open connections later than 1 s.",
        "histogram_quantile(0.99, sum by (le) (rate(bloom_socket_push_seconds_bucket[10m]))) > 1",
        "10m",
        Severity.TICKET,
        "bloom-crisis",
        fires=Story(_pushed("0+9x40", "0+10x40"), "25m", ({},)),
        quiet=Story(_pushed("0+10x40", "0+10x40"), "25m"),
    ),
)

CRISIS = Group("crisis", "Whether a person at risk reaches a person who helps, in time.", (*SCORES, *ANSWERED))
