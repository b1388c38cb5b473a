"""What a cell must offer, from the local stack's table of processes and from the topics' rows, as JSON that modules read."""

import json
from dataclasses import dataclass
from pathlib import Path

from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import Topic, all_topics
from local_stack.names import import_name
from local_stack.services import SERVICES
from tools.event_docs.compatibility import SCHEMAS
from tools.steps import ROOT

PLATFORM = "terraform/modules/platform/platform.json"
TOPICS = "terraform/modules/confluent/topics.json"


@dataclass(frozen=True, slots=True)
class Store:
    """The bucket of a service, the setting that names it, and whether the service writes there."""

    bucket: str
    setting: str
    writes: bool


STORES = {
    "messaging": Store("bloom-attachments", "ATTACHMENT_STORE", writes=True),
    # Models are put there by whoever releases one; the scorer reads.
    "ml-scoring": Store("bloom-models", "MODELS", writes=False),
    "analytics": Store("bloom-lake", "LAKE_STORE", writes=True),
}


def short_name(bucket: str) -> str:
    """`attachments` of `bloom-attachments`: the cell's own name comes before it in the cloud."""
    return bucket.removeprefix("bloom-")


def platform() -> dict[str, object]:
    """By service: processes, the prefix of its variables, and its bucket."""
    return {"services": {name: _service(name, processes) for name, processes in SERVICES.items()}}


def _service(name: str, processes: tuple[str, ...]) -> dict[str, object]:
    prefix = import_name(name).upper()
    store = STORES.get(name)
    bucket = store and {
        "name": short_name(store.bucket),
        "setting": f"{prefix}_{store.setting}",
        "region_setting": f"{prefix}_{store.setting}_REGION",
        "writes": store.writes,
    }
    return {"processes": list(processes), "prefix": prefix, "bucket": bucket}


def kafka() -> dict[str, object]:
    """Every topic with its settings and who may write and read it, and the schema of every event that goes there."""
    topics = all_topics()
    services = sorted({name for topic in topics for name in (*topic.producers, *topic.consumers)})
    return {"services": services, "topics": {topic.name: _topic(topic) for topic in topics}, "subjects": subjects()}


def _topic(topic: Topic) -> dict[str, object]:
    return {
        "partitions": topic.partitions,
        "retention_ms": str(topic.retention_ms),
        "cleanup_policy": topic.cleanup_policy,
        "data_class": str(topic.data_class),
        "producers": sorted(topic.producers),
        "consumers": sorted(topic.consumers),
    }


def subjects() -> dict[str, str]:
    """The file of each schema below the root, by its subject: the topic's name and the event's, as registries join them."""
    return {f"{event.TOPIC.name}-{name}": _schema_file(name) for name, event in sorted(EVENT_TYPES.items())}


def _schema_file(event: str) -> str:
    path = Path(SCHEMAS) / f"{event}.json"
    if not (ROOT / path).is_file():
        raise FileNotFoundError(path)
    return str(path)


def generated() -> dict[str, str]:
    """Each file with its text as it should be."""
    return {path: json.dumps(content, indent=2) + "\n" for path, content in ((PLATFORM, platform()), (TOPICS, kafka()))}
