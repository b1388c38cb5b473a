"""What a story of the demo is told with: the address, who reads along on Kafka, and how each step is printed."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from local_stack.api import Api
from local_stack.secret_files import new_password
from local_stack.stack import DEMO_TENANT
from local_stack.tail import Seen, Tail, milliseconds


@dataclass(frozen=True)
class Somebody:
    """A person of the story: the API as this person, and their id."""

    name: str
    api: Api
    id: UUID


@dataclass
class Story:
    """What is told and with whom: the address of the gateway and who reads along."""

    url: str
    tail: Tail
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    began: float = field(default_factory=time.monotonic)

    def tell(self, line: str) -> None:
        """One step of the story."""
        print(f"{time.monotonic() - self.began:6.1f} s  {line}", flush=True)

    def show(self, types: Sequence[str], about: Sequence[UUID]) -> None:
        """Wait for the events and print each with its place and its time since the commit, or since the event that caused it."""
        for seen in self.tail.await_events(types, about):
            place = f"{seen.topic}[{seen.partition}]@{seen.offset}"
            print(f"            {seen.envelope.type:<30} {place:<34} {self._timing(seen)}", flush=True)

    def time(self, what: str, since: datetime, until: datetime, of: str) -> None:
        """Print how long something took that is no event on Kafka."""
        print(f"            {what:<65} {milliseconds(since, until):5.0f} ms after {of}", flush=True)

    def _timing(self, seen: Seen) -> str:
        cause = self.tail.cause_of(seen)
        if cause is None:
            return f"{milliseconds(seen.envelope.time, seen.at):5.0f} ms after its commit"
        return f"{milliseconds(cause.envelope.time, seen.at):5.0f} ms after the commit of {cause.envelope.type}"

    def email(self, name: str) -> str:
        """The address of somebody in this run's story."""
        return f"{name}-{self.run}@demo.example.test"

    def newcomer(self, name: str, role: str, **body: object) -> Somebody:
        """Register somebody and sign them in."""
        login = {"email": self.email(name), "password": new_password(), "tenant": DEMO_TENANT}
        user = Api(self.url).post("/api/auth/register", {**login, "role": role, **body}).body
        self.tell(f"{name} registers as a {role.lower()}")
        return Somebody(name, Api(self.url).signed_in(**login), UUID(user["id"]))
