"""`python -m tools.limit_docs write|check`: the tables of docs/operations/limits.md, from the services' settings and the code."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from bloom_events import registry
from bloom_events.topics import DEAD_LETTER_RETENTION_MS
from local_stack.names import import_name
from service_kit import consuming, consuming_batches
from service_kit.relay import RelayOptions
from service_kit.settings import ServiceSettings
from tools.apps import service_names
from tools.generated import run_generator
from tools.steps import ROOT

PATH = "docs/operations/limits.md"
_BLOCK = re.compile(r"(<!-- generated [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
# What bounds work, memory, waiting or speed; addresses, names and keys are in each service's README.
_BOUNDS = re.compile(r"limit|most|pool|queue|_per_|threads|cache|places|patience|seconds|batch|size|hours|minutes|days")
_COMMENTED = re.compile(r"(?P<comment>(?:    # [^\n]*\n)*)    (?P<name>[a-z_]+): ")

_DAY_MS = 24 * 60 * 60 * 1000


class Bound(NamedTuple):
    """One setting that bounds something."""

    variable: str
    default: str
    allowed: str
    meaning: str


def bounds_of(settings: type[ServiceSettings], own: set[str]) -> Iterator[Bound]:
    """The bounds among a class's settings, those of its own alone."""
    meanings, prefix = _comments(settings), settings.model_config.get("env_prefix", "<SERVICE>_")
    for name, field in settings.model_fields.items():
        if name in own and _BOUNDS.search(name) and isinstance(field.default, int | float | str) and str(field.default):
            yield Bound(f"{prefix}{name}".upper(), _shown(field.default), _range(field.metadata), meanings.get(name, ""))


def tables() -> str:
    """What every service has, what single services have beside it, and what is fixed in the code."""
    every = set(ServiceSettings.model_fields)
    parts = ["### Every service", *_table(list(bounds_of(ServiceSettings, every)))]
    for service in service_names():
        settings = importlib.import_module(f"{import_name(service)}.settings").Settings
        bounds = list(bounds_of(settings, set(inspect.get_annotations(settings))))
        parts += ["", f"### {service}", *_table(bounds)] if bounds else []
    return "\n".join([*parts, "", "### Fixed in the code", "| what | value |", "|---|---|", *_fixed()])


def generated() -> dict[str, str]:
    """The path below the root and the text of the page with its tables as they should be."""
    page = (ROOT / PATH).read_text()
    return {PATH: _BLOCK.sub(lambda found: f"{found.group(1)}\n{tables()}\n\n{found.group(2)}", page)}


def _fixed() -> list[str]:
    retries, relay = consuming.Backoff(), RelayOptions(dsn=SecretStr(""), bootstrap="")
    facts = {
        "Records that a worker parks one after the other before it stops": consuming.MAX_PARKED_IN_ROW,
        "Records of one transaction where a worker takes many at a time": consuming_batches.BATCH_SIZE,
        "Such transactions in hand at once": consuming_batches.BATCHES_IN_HAND,
        "Seconds until a failed handling is tried again, at first": retries.first,
        "The same at most": retries.most,
        "Bytes of an event's body": registry.MAX_EVENT_BYTES,
        "Bytes of an attribute of an envelope": registry.MAX_ATTRIBUTE_BYTES,
        "Days for which dead letters are kept": DEAD_LETTER_RETENTION_MS // _DAY_MS,
        "Rows that a relay takes from an outbox at a time": relay.batch_rows,
        "Rows that a killed relay may send once more": relay.window_rows,
        "Bytes of a record above which a relay parks the row": relay.record_bytes,
    }
    return [f"| {what} | {_shown(value)} |" for what, value in facts.items()]


def _table(bounds: list[Bound]) -> list[str]:
    rows = [f"| `{each.variable}` | {each.default} | {each.allowed} | {each.meaning} |" for each in bounds]
    return ["| variable | default | allowed | |", "|---|---|---|---|", *rows]


def _comments(settings: type[ServiceSettings]) -> dict[str, str]:
    """What the comment right above a setting says."""
    source = Path(inspect.getfile(settings)).read_text()
    found = {each["name"]: each["comment"] for each in _COMMENTED.finditer(source)}
    return {name: " ".join(line.strip().removeprefix("# ") for line in text.splitlines()) for name, text in found.items()}


def _range(metadata: list[Any]) -> str:
    """The bounds of the value itself, as `1 to 200` or `from 1`."""
    low = next((getattr(each, name) for each in metadata for name in ("ge", "gt") if hasattr(each, name)), None)
    high = next((getattr(each, name) for each in metadata for name in ("le", "lt") if hasattr(each, name)), None)
    if low is None and high is None:
        return ""
    return f"{_shown(low)} to {_shown(high)}" if high is not None else f"from {_shown(low)}"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
