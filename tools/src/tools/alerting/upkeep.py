"""Money that must agree, and what runs out or goes stale while everything still works: certificates, backups, the lake."""

from tools.alerting.rules import Alert, Group, Severity, Story

_BILLING = 'service="billing",process="worker",instance="a"'
_GATEWAY = 'job="gateway",service="gateway",process="envoy",instance="a"'
_FINDINGS = "bloom_billing_reconciliation_findings"
_BACKUP = "bloom_backup_last_success_timestamp_seconds"
_CERTIFICATE = "envoy_server_days_until_first_cert_expiring"
_LAKE = 'bloom_lake_written_at_seconds{service="analytics",process="lake",instance="a"}'


def _finding(name: str) -> str:
    return f'{_FINDINGS}{{{_BILLING},finding="{name}"}}'


MONEY = Group(
    "money",
    "Whether visits, invoices and the journal agree.",
    (
        Alert(
            "BooksDiffer",
            "Billing's books do not agree: {{ $labels.finding }}.",
            f'max by (finding) ({_FINDINGS}{{finding=~"completed_without_invoice|differs_from_journal"}}) > 0',
            "10m",
            Severity.PAGE,
            "bloom-money",
            fires=Story({_finding("differs_from_journal"): "0x3 1x20"}, "20m", ({"finding": "differs_from_journal"},)),
            quiet=Story({_finding("differs_from_journal"): "0x30", _finding("waits_for_price"): "5x30"}, "20m"),
        ),
        Alert(
            "VisitsWaitForPrice",
            "Visits took place for which no price was ever set; nobody is asked to pay.",
            f'max({_FINDINGS}{{finding="waits_for_price"}}) > 0',
            "1h",
            Severity.TICKET,
            "bloom-money",
            fires=Story({_finding("waits_for_price"): "2x100"}, "70m", ({},)),
            quiet=Story({_finding("waits_for_price"): "2x30 0x70"}, "70m"),
        ),
    ),
)

UPKEEP = Group(
    "upkeep",
    "What runs out or goes stale while everything still works.",
    (
        Alert(
            "CertificateExpires",
            "A certificate of the gateway expires within three weeks.",
            f"min({_CERTIFICATE}) < 21",
            "1h",
            Severity.TICKET,
            "bloom-slo",
            fires=Story({f"{_CERTIFICATE}{{{_GATEWAY}}}": "20x100"}, "70m", ({},)),
            quiet=Story({f"{_CERTIFICATE}{{{_GATEWAY}}}": "60x100"}, "70m"),
        ),
        Alert(
            "CertificateExpiresNow",
            "A certificate of the gateway expires within three days, and nothing has renewed it.",
            f"min({_CERTIFICATE}) < 3",
            "10m",
            Severity.PAGE,
            "bloom-slo",
            fires=Story({f"{_CERTIFICATE}{{{_GATEWAY}}}": "2x30"}, "20m", ({},)),
            quiet=Story({f"{_CERTIFICATE}{{{_GATEWAY}}}": "20x30"}, "20m"),
        ),
        Alert(
            "BackupOld",
            "The last backup that succeeded is older than 26 hours.",
            f"time() - max({_BACKUP}) > 26 * 3600",
            "10m",
            Severity.PAGE,
            "bloom-slo",
            fires=Story({f'{_BACKUP}{{job="node",instance="a"}}': "0x1700"}, "27h", ({},)),
            quiet=Story({f'{_BACKUP}{{job="node",instance="a"}}': "0x1200 72000x500"}, "27h"),
        ),
        Alert(
            "BackupUnknown",
            "Nothing says when the last backup was made.",
            f"absent({_BACKUP})",
            "1h",
            Severity.TICKET,
            "bloom-slo",
            fires=Story({'up{job="bloom",service="auth",process="api",instance="a"}': "1x100"}, "70m", ({},)),
            quiet=Story({f'{_BACKUP}{{job="node",instance="a"}}': "0x100"}, "70m"),
        ),
        Alert(
            "LakeOld",
            "The lake has had no new files for three hours.",
            "time() - max(bloom_lake_written_at_seconds) > 3 * 3600",
            "10m",
            Severity.TICKET,
            "bloom-processes",
            fires=Story({_LAKE: "1x240"}, "200m", ({},)),
            quiet=Story({_LAKE: "1x100 6000x140"}, "200m"),
        ),
    ),
)
