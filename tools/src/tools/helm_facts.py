"""`python -m tools.helm_facts write|check`: what the chart knows about the system, from the local stack's table and the topics.

Nobody types a port, a variable or a topic into the chart: its templates read `files/platform.yaml`, which is made here.
"""

import importlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bloom_events.topics import Topic, all_topics
from gateway import load_table, preset
from local_stack.names import import_name
from local_stack.own_settings import CALLS
from local_stack.ports import DEFAULT_PORTS
from local_stack.services import SERVICES
from local_stack.stack import Stack
from service_kit.kafka_access import KafkaSettings
from service_kit.settings import ServiceSettings
from tools.generated import run_generator
from tools.steps import ROOT

CHART = "deploy/helm/bloom"
FACTS = f"{CHART}/files/platform.yaml"
RULES = Path("deploy/observability/prometheus/rules")
SERVING = frozenset({"api", "socket"})
PER_PROCESS = frozenset({"PORT", "PROBE_PORT"})
# What no installation may say: what the image says, planted bugs, and a name that only one worker at a time can have.
NOT_TO_BE_SET = frozenset({"HOST", "MIGRATIONS_FOLDER", "UNSAFE_INBOX_OFF", "UNSAFE_OUTBOX_OFF", "FAILPOINT", "WORKER_INSTANCE"})
# Which outer systems a kind of process talks to, and single processes beside that; the import graph of the code is held
# against it by a test. `cloud` is object stores and keepers of keys, `providers` is mail, SMS and push.
REACHES: Mapping[str, tuple[str, ...]] = {
    "api": ("postgres", "valkey"),
    "socket": ("postgres", "valkey", "cloud"),
    "worker": ("postgres", "kafka"),
    "relay": ("postgres", "kafka"),
    "lake": ("postgres", "kafka", "cloud"),
}
REACHES_BESIDE: Mapping[str, tuple[str, ...]] = {
    "messaging-api": ("cloud",),
    "messaging-worker": ("valkey", "cloud"),
    "messaging-relay": ("cloud",),
    "ml-scoring-api": ("cloud",),
    "ml-scoring-worker": ("cloud",),
    "notifications-worker": ("providers",),
}
# The process of a service that calls another service in its own name.
CALLING = "worker"


def facts() -> dict[str, Any]:
    """Services with their processes, variables and edges, and every topic."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        services = {service: _service(stack, service) for service in SERVICES}
    upstreams = sorted({route.upstream for route in load_table().routes})
    return {
        "services": services,
        "gatewayUpstreams": {name: f"{name}-api" if name in SERVICES else name for name in upstreams},
        "topics": [_topic(topic) for topic in all_topics()],
    }


def settings_of(service: str) -> type[ServiceSettings]:
    """The settings class of a service."""
    found: type[ServiceSettings] = importlib.import_module(f"{import_name(service)}.settings").Settings
    return found


def is_secret(settings: type[ServiceSettings], name: str) -> bool:
    """Whether a variable, named without its prefix, is a secret of this service."""
    return "SecretStr" in str(settings.model_fields[name.lower()].annotation)


def _service(stack: Stack, service: str) -> dict[str, Any]:
    settings = settings_of(service)
    told = {process: set(_variables(stack, service, process)) for process in (*SERVICES[service], "migrate")}
    everything = {name.upper() for name in settings.model_fields} - PER_PROCESS - NOT_TO_BE_SET
    secrets = {name for name in everything if is_secret(settings, name)}
    app = set.intersection(*told.values()) & secrets
    of_roles = {"RELAY_DATABASE_URL", "MIGRATION_DATABASE_URL"}
    kafka = {name.upper() for name in KafkaSettings.model_fields} & secrets
    return {
        "prefix": import_name(service).upper(),
        "shutdownSeconds": int(settings.model_fields["shutdown_limit_seconds"].default),
        "urls": _urls(service),
        "settings": sorted(everything - secrets),
        "secrets": sorted(app),
        "furtherSecrets": sorted(secrets - app - of_roles - kafka),
        "processes": {process: _process(service, process) for process in SERVICES[service]},
    }


def _urls(service: str) -> dict[str, str]:
    """The variables that say where other services are, with the addresses that they have in a cluster."""
    keys = {} if service == "auth" else {"JWKS_URL": f"http://auth-api{preset('kubernetes').jwks_path}"}
    called = CALLS.get(service)
    return keys | ({f"{import_name(called).upper()}_URL": f"http://{called}-api"} if called else {})


def _variables(stack: Stack, service: str, process: str) -> list[str]:
    prefix = f"{import_name(service).upper()}_"
    told = stack.surroundings.of(service, process, port=1)
    return [name.removeprefix(prefix) for name in told if name.removeprefix(prefix) not in PER_PROCESS]


def _process(service: str, process: str) -> dict[str, Any]:
    name = f"{service}-{process}"
    described: dict[str, Any] = {
        "port": DEFAULT_PORTS[name],
        "portVariable": "PORT" if process in SERVING else "PROBE_PORT",
        "reaches": [*REACHES[process], *REACHES_BESIDE.get(name, ())],
        "calls": _called_by(service, process),
    }
    if process == "worker":
        described["listensTo"] = sorted(topic.name for topic in all_topics() if service in topic.consumers)
    return described


def _called_by(service: str, process: str) -> list[str]:
    """The processes that this one calls over HTTP: those that check tokens ask auth for its keys."""
    keys = ["auth-api"] if process in SERVING and service != "auth" else []
    own = [f"{CALLS[service]}-api"] if process == CALLING and service in CALLS else []
    return sorted({*keys, *own})


def _topic(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "retentionMs": topic.retention_ms,
        "cleanupPolicy": topic.cleanup_policy,
    }


def generated() -> dict[str, str]:
    """The chart's facts, and copies of the alerting rules, which a chart can only read from its own folder."""
    head = "# Written by `make events` from the local stack's process table and topics.py; change those, not this file.\n"
    text = head + yaml.safe_dump(facts(), sort_keys=False, width=120)
    rules = sorted((ROOT / RULES).glob("*.yml"))
    return {FACTS: text, **{f"{CHART}/files/rules/{rule.name}": rule.read_text() for rule in rules}}


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
