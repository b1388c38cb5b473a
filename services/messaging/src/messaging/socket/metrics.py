"""Every metric of the socket process, by name and label. Labels hold words of this program, never ids or what anybody sent."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from service_kit.metrics import REGISTRY

_PUSH_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"socket_{name}", meaning, labels, namespace="bloom", registry=REGISTRY)


CONNECTIONS = Gauge("socket_connections", "Open connections.", namespace="bloom", registry=REGISTRY)
CUT = _counter("cut", "Connections that this process ended or refused, by reason.", "reason")
PUSHES = _counter("pushes", "Frames written to connections, by event.", "event")
PUSH_SECONDS = Histogram(
    "socket_push_seconds",
    "Seconds from a change's own time to its being written to the connections here.",
    namespace="bloom",
    registry=REGISTRY,
    buckets=_PUSH_SECONDS,
)
RESUMES = _counter("resumes", "Conversations that a client resumed, by outcome: current, behind or refused.", "outcome")
REPLAYED = _counter("replayed_changes", "Missed changes that were written to a client that resumed.")
EVENTS = _counter("client_events", "What clients sent, by event and outcome.", "event", "outcome")
LOOK_SECONDS = Histogram(
    "socket_look_seconds", "Seconds of a look into the database.", namespace="bloom", registry=REGISTRY, buckets=_PUSH_SECONDS
)
FOUND_BY_LOOK = _counter("found_by_look", "What a look found that no wake had told of, by kind.", "kind")
WAKES = _counter("wakes", "Wakes that arrived, by kind.", "kind")
BUGS = _counter("unexpected_errors", "Failures that nobody has thought of, by where they happened.", "where")
