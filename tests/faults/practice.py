"""A practice in which people write to each other: the crisis path on free ports, with people and tokens made for it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import httpx
import socketio
from confluent_kafka import Producer
from tests.faults.lab import KeyServer

from bloom_events.appointments import AppointmentBooked, VisitType
from bloom_events.auth import Role, TherapistVerified, UserRegistered
from bloom_events.envelope import to_kafka, wrap
from bloom_events.event import Event
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, UserId, new_id
from local_stack.plan import in_order, run
from local_stack.ports import HOST, all_free_ports
from local_stack.services import SERVICES
from local_stack.stack import Stack
from service_kit.testing import TokenIssuer

CRISIS = "I cannot go on. I want to end my life tonight and I have a plan."
"""Sober words that the model of the repository rates as high risk or worse."""

CALM = "Thank you, the walk in the morning did me good. See you on Tuesday."

_PATH = ("messaging", "ml-scoring", "notifications")
_BESIDE = frozenset(
    {
        "gateway",
        *(f"{service}-{process}" for service in ("appointments", "billing", "analytics") for process in SERVICES[service]),
    }
)
_UNLIMITED = "1000000/minute"
_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A patient and a therapist with their conversation; headers for the API, tokens for the sockets."""

    patient_id: UUID
    therapist_id: UUID
    conversation_id: UUID
    patient: Mapping[str, str]
    therapist: Mapping[str, str]

    @property
    def therapist_token(self) -> str:
        """The therapist's access token, as a socket presents it."""
        return self.therapist["Authorization"].removeprefix("Bearer ")


@dataclass
class Listener:
    """Somebody's open page: when each message and the first word of each alert came (monotonic seconds)."""

    messages: dict[UUID, float] = field(default_factory=dict)
    alerts: dict[UUID, float] = field(default_factory=dict)
    alert_ids: dict[UUID, set[str]] = field(default_factory=dict)
    client: socketio.AsyncClient = field(
        default_factory=lambda: socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5, handle_sigint=False)
    )

    async def open(self, url: str, token: str) -> Self:
        """Connect, and again whenever the connection is lost."""
        self.client.on("new-message", self._message)
        self.client.on("alert", self._alert)
        await self.client.connect(url, auth={"token": token}, transports=["websocket"], retry=True, wait_timeout=30)
        return self

    async def close(self) -> None:
        """Leave."""
        await self.client.disconnect()

    async def _message(self, change: dict[str, Any]) -> None:
        self.messages.setdefault(UUID(change["message"]["id"]), time.monotonic())

    async def _alert(self, alert: dict[str, Any]) -> None:
        conversation = UUID(alert["conversationId"])
        self.alerts.setdefault(conversation, time.monotonic())
        self.alert_ids.setdefault(conversation, set()).add(alert["alertId"])


class Practice:
    """One tenant on a stack of its own that runs only what the crisis path needs, and of that nothing in `without`."""

    def __init__(self, *, further: Mapping[str, Mapping[str, str]] | None = None, without: Sequence[str] = ()) -> None:
        self._left_out = _BESIDE | {*without}
        self.folder = Path(tempfile.mkdtemp(prefix="bloom-practice-"))
        self.issuer = TokenIssuer()
        self.keys = KeyServer(self.issuer)
        self.tenant_id = TenantId(uuid4())
        told = {"JWKS_URL": self.keys.url, "TOKEN_ISSUER": self.issuer.issuer, "TOKEN_AUDIENCE": self.issuer.audience}
        own = {service: {**told, **(further or {}).get(service, {})} for service in _PATH}
        own["messaging"] = {
            **{f"{name}_LIMIT_PER_{who}": _UNLIMITED for name, who in (("WRITING", "PERSON"), ("WRITING", "CONVERSATION"))},
            "OPENING_LIMIT_PER_PERSON": _UNLIMITED,
            **own["messaging"],
        }
        self.stack = Stack(self.folder, ports=all_free_ports(), environment="test", own_settings=own, guarded=True)
        self.http = httpx.AsyncClient(timeout=30, trust_env=False, limits=httpx.Limits(max_connections=100))

    async def __aenter__(self) -> Self:
        steps = [step for step in in_order(self.stack.steps()) if step.name not in self._left_out]
        await asyncio.to_thread(run, steps, lambda _: None, self.stack.kill)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.http.aclose()
        await asyncio.to_thread(self.stack.kill)
        self.keys.stop()
        rmtree(self.folder, ignore_errors=True)

    @property
    def messages_url(self) -> str:
        """Where messages are sent to, past the gateway."""
        return f"http://{HOST}:{self.stack.ports['messaging-api']}/api/messages"

    @property
    def socket_url(self) -> str:
        """Where sockets connect to, past the gateway."""
        return f"http://{HOST}:{self.stack.ports['messaging-socket']}"

    def headers(self, role: Role, user_id: UUID) -> dict[str, str]:
        """The headers of somebody's requests."""
        return self.issuer.headers(role=role, tenant_id=self.tenant_id, subject=user_id)

    async def pairs(self, count: int, *, therapists: int) -> list[Pair]:
        """So many patients, each with a conversation with one of the therapists."""
        treating = [uuid4() for _ in range(therapists)]
        patients = [uuid4() for _ in range(count)]
        matched = [(patient, treating[number % therapists]) for number, patient in enumerate(patients)]
        await asyncio.to_thread(self._make_known, patients, treating, matched)
        places = asyncio.Semaphore(8)

        async def opened(patient_id: UUID, therapist_id: UUID) -> Pair:
            async with places:
                return await self._opened(patient_id, therapist_id)

        return list(await asyncio.gather(*(opened(*each) for each in matched)))

    @asynccontextmanager
    async def pages(self, pairs: Sequence[Pair]) -> AsyncIterator[dict[UUID, Listener]]:
        """An open page for every therapist, closed at the end."""
        tokens = {pair.therapist_id: pair.therapist_token for pair in pairs}
        opened = {who: await Listener().open(self.socket_url, token) for who, token in tokens.items()}
        try:
            yield opened
        finally:
            for listener in opened.values():
                await listener.close()

    def publish(self, events: Sequence[Event], source: str) -> None:
        """Put events on the log as the service `source` would have, and return when it has them."""
        producer = Producer({"bootstrap.servers": self.stack.kafka.bootstrap, "acks": "all", "log_level": 0})
        for event in events:
            envelope = wrap(
                event, source=f"/bloom/{source}", tenant_id=self.tenant_id, time=datetime.now(UTC), correlation_id=uuid4()
            )
            message = to_kafka(envelope)
            producer.produce(message.topic, key=message.key, value=message.value, headers=dict(message.headers))
            producer.poll(0)
        if producer.flush(30):
            raise TimeoutError("Kafka did not take the events")

    def _make_known(self, patients: Sequence[UUID], therapists: Sequence[UUID], matched: Sequence[tuple[UUID, UUID]]) -> None:
        accounts: list[Event] = [UserRegistered(user_id=UserId(each), role=Role.PATIENT, status="active") for each in patients]
        for each in therapists:
            accounts.append(UserRegistered(user_id=UserId(each), role=Role.THERAPIST, status="active"))
            accounts.append(TherapistVerified(user_id=UserId(each), display_name="Dr. Kim Reed"))
        self.publish(accounts, "auth")
        starts = datetime.now(UTC) + timedelta(days=7)
        visits = [
            AppointmentBooked(
                appointment_id=AppointmentId(new_id()),
                revision=1,
                patient_id=PatientId(patient_id),
                therapist_id=TherapistId(therapist_id),
                visit_type=VisitType.STANDARD,
                starts_at=starts,
                ends_at=starts + timedelta(minutes=50),
            )
            for patient_id, therapist_id in matched
        ]
        self.publish(visits, "appointments")

    async def _opened(self, patient_id: UUID, therapist_id: UUID) -> Pair:
        """Their conversation, as soon as messaging has heard that they know each other."""
        headers = self.headers(Role.PATIENT, patient_id)
        url = self.messages_url.replace("/messages", "/conversations")
        deadline = time.monotonic() + _LIMIT_SECONDS
        while True:
            answer = await self.http.post(url, headers=headers, json={"kind": "direct", "therapistId": str(therapist_id)})
            if answer.is_success:
                conversation_id = UUID(answer.json()["id"])
                return Pair(patient_id, therapist_id, conversation_id, headers, self.headers(Role.THERAPIST, therapist_id))
            if time.monotonic() > deadline:
                raise TimeoutError(f"no conversation could be opened: {answer.status_code} {answer.text}")
            await asyncio.sleep(0.1)
