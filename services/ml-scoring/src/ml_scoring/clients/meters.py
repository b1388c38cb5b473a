"""What operators see of scoring: how late scores are, what waits and why, which models serve. No ids, no texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from prometheus_client import Counter, Gauge, Histogram

from service_kit.metrics import REGISTRY

_counter = partial(Counter, namespace="bloom", registry=REGISTRY)
_gauge = partial(Gauge, namespace="bloom", registry=REGISTRY)
_histogram = partial(Histogram, namespace="bloom", registry=REGISTRY)

_LATE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)

SCORE_AGE_SECONDS = _histogram(
    "scoring_age_seconds", "Seconds from when the server took a message until its score was stored.", buckets=_LATE_SECONDS
)
OLDEST_IN_HAND_SECONDS = _gauge("scoring_oldest_in_hand_seconds", "Age of the oldest message that is being worked on; 0 without.")
OUTCOMES = _counter("scoring_outcomes", "Messages by what they came to: a level, withdrawn, or unreadable.", ["outcome"])
UNREADABLE = _counter("scoring_unreadable", "Messages that nobody can read or score, by reason.", ["reason"])
MODEL_SECONDS = _histogram("scoring_model_seconds", "Seconds that the model took for one text.")
PREDICTIONS = _counter("scoring_predictions", "Texts scored on request, by outcome: scored, refused or busy.", ["outcome"])

WAITING_MESSAGES = _gauge("scoring_waiting_messages", "Messages whose key could not be had yet, of all workers.")
WAITING_OLDEST_SECONDS = _gauge("scoring_waiting_oldest_seconds", "How long the oldest of them has waited.")

KEYS = _counter(
    "scoring_keys", "Conversation keys by where they came from: kept, fetched, destroyed, unknown or away.", ["outcome"]
)
KEY_SECONDS = _histogram("scoring_key_seconds", "Seconds until messaging answered with a key.")

MODELS_LOADED = _gauge("scoring_model_loaded", "1 for each model that this process holds.", ["name", "version"])
MODEL_REFUSALS = _counter("scoring_model_refusals", "Chosen models that could not be loaded, by problem.", ["problem"])
MODEL_LOAD_PERCENT = _gauge("scoring_model_load_percent", "How much of the model that is being fetched has arrived.")


@cache
def outcome(name: str) -> Callable[[], None]:
    """What counts a message that came to this."""
    return OUTCOMES.labels(name).inc
