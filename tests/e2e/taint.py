"""Marks that stand for what people say about themselves, and the search for them wherever nobody may say it again."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from tests.e2e.kafka_log import Lying

from local_stack.span_sink import SpanSink
from local_stack.stack import Stack

Leak = tuple[str, str]
"""Where a mark was found, and where it had been planted."""


@dataclass
class Marks:
    """Texts that occur nowhere else, each with the place at which it was planted; good as a word, a name, a code or a tag."""

    prefix: str = field(default_factory=lambda: f"q{secrets.token_hex(5)}z")
    planted: list[str] = field(default_factory=list)

    def new(self, place: str) -> str:
        """A mark for this place."""
        self.planted.append(place)
        return f"{self.prefix}{len(self.planted) - 1}y"

    def in_text(self, where: str, text: str) -> set[Leak]:
        """The marks that stand in a text, however it is spelled."""
        found = re.findall(rf"{self.prefix}(\d+)y", text, re.IGNORECASE)
        return {(where, self.planted[int(number)]) for number in found}


def in_logs(marks: Marks, stack: Stack) -> set[Leak]:
    """What the logs of all components say."""
    logs = sorted(stack.logs.iterdir())
    return {leak for log in logs for leak in marks.in_text(f"log of {log.stem}", log.read_text(errors="replace"))}


def in_traces(marks: Marks, sink: SpanSink) -> set[Leak]:
    """What the spans of all processes say."""
    return marks.in_text("traces", sink.text())


def in_metrics(marks: Marks, addresses: Iterable[str]) -> set[Leak]:
    """What is measured at these addresses."""
    pages = {address: httpx.get(address, timeout=30, trust_env=False) for address in addresses}
    assert {page.status_code for page in pages.values()} == {200}
    return {leak for address, page in pages.items() for leak in marks.in_text(f"metrics at {address}", page.text)}


def in_dead_letters(marks: Marks, letters: Iterable[Lying]) -> set[Leak]:
    """What the platform itself says of the records that it has parked: its own headers, and the topic's key for them."""
    own = [(letter.topic, name, letter.header(name)) for letter in letters for name in letter.headers if name.startswith("dlq_")]
    return {leak for topic, name, text in own for leak in marks.in_text(f"{name} on {topic}", text)}


def metrics_of(stack: Stack) -> list[str]:
    """Where every process shows its metrics, the gateway included."""
    gateway = f"http://127.0.0.1:{stack.ports['gateway-admin']}/stats/prometheus"
    return [*(f"http://{process.address}/metrics" for process in stack.services.values()), gateway]


def in_two_days() -> datetime:
    """A moment at which the calendars of these tests are open and empty."""
    return datetime.now(UTC) + timedelta(days=2)
