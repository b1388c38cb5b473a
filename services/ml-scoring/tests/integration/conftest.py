"""A migrated database, tiny models, a server that hands out keys as messaging does, and conversations whose texts are sealed."""

import asyncio
import json
import os
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from bloom_events.auth import Role
from bloom_events.envelope import Envelope, wrap
from bloom_events.event import Event
from bloom_events.ids import ConversationId, MessageId, PatientId, TenantId, TherapistId, UserId, new_id
from bloom_events.messaging import (
    ConversationKeyDestroyed,
    ConversationMemberJoined,
    ConversationMemberLeft,
    MessageDeleted,
    MessageEdited,
    MessageSent,
    sealed_with,
)
from local_stack.postgres import ServiceDatabase
from ml_scoring.clients.conversation_keys import ConversationKeys, KeyId, MessagingKeys
from ml_scoring.clients.model_registry import ModelRegistry
from ml_scoring.clients.model_shelf import Arrival, ModelShelf
from ml_scoring.domain.limits import KeyPolicy, PoolShape
from ml_scoring.domain.models import ModelReference
from ml_scoring.use_cases.scoring import ScoringTools
from service_kit.database import Pool, create_pool
from service_kit.errors import Unauthorized
from service_kit.object_store.folder import FolderStore
from service_kit.service_tokens import ServiceTokenSigner, ServiceTokenVerifier, new_service_key, public_service_key
from service_kit.testing import FixedClock, as_tenant
from service_kit.unit_of_work import Context, UnitOfWork

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
MODEL = ModelReference("tiny-xlmr", "1")


class KeyServer:
    """Speaks messaging's internal route on a real socket: keys it was given, 410 for destroyed ones, 404 for the rest."""

    def __init__(self) -> None:
        self.service_key = new_service_key()
        self.keys: dict[tuple[str, str], bytes] = {}
        self.destroyed: set[str] = set()
        self.asked: list[str] = []
        self.is_away = False
        self.go_on = threading.Event()
        self.go_on.set()
        verifier = ServiceTokenVerifier("messaging", {"ml-scoring": public_service_key(self.service_key)})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # the name that http.server calls
                server.go_on.wait(30)
                status, body = server.answer(self.path, dict(self.headers), verifier)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's signature
                """Say nothing per request."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, headers: dict[str, str], verifier: ServiceTokenVerifier) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        try:
            verifier.verify(headers.get("Authorization", "").removeprefix("Bearer "))
        except Unauthorized:
            return 401, {}
        _, _, place, conversation, what, version = path.split("/")
        if self.is_away or (place, what) != ("conversations", "keys"):
            return 503, {}
        if conversation in self.destroyed:
            return 410, {"type": "urn:bloom:problem:key-destroyed"}
        key = self.keys.get((headers.get("X-Tenant-Id", ""), f"{conversation}/{version}"))
        return (200, {"key": b64encode(key).decode()}) if key else (404, {})

    def stop(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Conversation:
    """A patient and a therapist who write to each other; every change has the next place, every text is sealed."""

    tenant_id: TenantId
    keys: KeyServer
    conversation_id: ConversationId = field(default_factory=lambda: ConversationId(new_id()))
    patient_id: UUID = field(default_factory=uuid4)
    therapist_id: UUID = field(default_factory=uuid4)
    key: bytes = field(default_factory=lambda: os.urandom(32))
    sequence: int = 0
    at: datetime = NOW - timedelta(seconds=1)

    def __post_init__(self) -> None:
        self.give_key()

    def give_key(self) -> None:
        self.keys.keys[str(self.tenant_id), f"{self.conversation_id}/1"] = self.key

    def take_key_away(self) -> None:
        del self.keys.keys[str(self.tenant_id), f"{self.conversation_id}/1"]

    def sent(self, text: str = "The walk did me good.", **changed: Any) -> Envelope[MessageSent]:
        return self._change(MessageSent, MessageId(new_id()), 1, text, sent_at=self.at, **changed)

    def edited(self, message: Envelope[Any], text: str = "It did.", **changed: Any) -> Envelope[MessageEdited]:
        before = message.data
        times = {"sent_at": self.at, "edited_at": self.at}
        return self._change(MessageEdited, before.message_id, before.revision + 1, text, **times, **changed)

    def deleted(self, message: Envelope[Any]) -> Envelope[MessageDeleted]:
        before = message.data
        return self._change(MessageDeleted, before.message_id, before.revision + 1, None, deleted_at=self.at)

    def joined(self, member_id: UUID, *, at: datetime = NOW) -> Envelope[ConversationMemberJoined]:
        return self._about(ConversationMemberJoined, at, member_id=UserId(member_id), member_role=Role.THERAPIST)

    def left(self, member_id: UUID, *, at: datetime = NOW) -> Envelope[ConversationMemberLeft]:
        return self._about(ConversationMemberLeft, at, member_id=UserId(member_id), member_role=Role.THERAPIST)

    def key_destroyed(self) -> Envelope[ConversationKeyDestroyed]:
        self.keys.destroyed.add(str(self.conversation_id))
        return self._about(ConversationKeyDestroyed, NOW, destroyed_at=NOW)

    def _about(self, kind: type[Event], at: datetime, **more: Any) -> Envelope[Any]:
        event = kind(conversation_id=self.conversation_id, patient_id=PatientId(self.patient_id), **more)
        return self._wrapped(event, at)

    def _change(self, kind: type[Event], message_id: MessageId, revision: int, text: str | None, **more: Any) -> Envelope[Any]:
        self.sequence += 1
        about = {
            "conversation_id": self.conversation_id,
            "message_id": message_id,
            "sequence": self.sequence,
            "revision": revision,
            "patient_id": PatientId(self.patient_id),
            "author_id": UserId(self.patient_id),
            "author_role": Role.PATIENT,
            "therapist_ids": (TherapistId(self.therapist_id),),
        }
        sealed = {} if text is None else self._sealed(text, message_id)
        return self._wrapped(kind(**about | sealed | more), self.at)

    def _sealed(self, text: str, message_id: MessageId) -> dict[str, Any]:
        nonce = os.urandom(12)
        place = sealed_with(self.conversation_id, message_id, self.sequence)
        sealed = AESGCM(self.key).encrypt(nonce, text.encode(), place)
        return {"key_version": 1, "nonce": b64encode(nonce).decode(), "ciphertext": b64encode(sealed).decode()}

    def _wrapped(self, event: Event, at: datetime) -> Envelope[Any]:
        return wrap(event, source="/bloom/messaging", tenant_id=self.tenant_id, time=at, correlation_id=uuid4())


class Scoring:
    """Scoring on a pool of the application's role, for one tenant, with the keys of a key server."""

    def __init__(self, pool: Pool, shelf: ModelShelf, keys: KeyServer, clock: FixedClock) -> None:
        self.pool, self.shelf, self.key_server, self.clock = pool, shelf, keys, clock
        self.tenant_id = TenantId(uuid4())
        self.parked: list[tuple[UUID, str]] = []
        signer = ServiceTokenSigner("ml-scoring", SecretStr(keys.service_key))
        self._messaging = MessagingKeys(keys.url, signer, timeout_seconds=10)
        policy = KeyPolicy(kept_seconds=60, most=1000, patience_seconds=5)
        self.keys = ConversationKeys(self._ask, policy)
        self.tools = ScoringTools(
            keys=self.keys, shelf=shelf, pool=self._pool, unit_of=self._unit_of, park=self._park, clock=clock
        )

    def conversation(self, tenant_id: TenantId | None = None) -> Conversation:
        return Conversation(tenant_id or self.tenant_id, self.key_server)

    def unit(self, cause: Envelope[Any] | None = None) -> UnitOfWork:
        context = Context(self.tenant_id, new_id(), cause.id if cause else None)
        return UnitOfWork(self.pool, source="/bloom/ml-scoring", context=context, clock=self.clock)

    async def rows(self, query: str, *parameters: object, tenant_id: UUID | None = None) -> list[dict[str, Any]]:
        async with as_tenant(self.pool, tenant_id or self.tenant_id) as connection:
            return [dict(row) for row in await connection.fetch(query, *parameters)]

    async def analyses(self, tenant_id: UUID | None = None) -> list[dict[str, Any]]:
        return await self.rows("select * from analyses order by sequence", tenant_id=tenant_id)

    async def close(self) -> None:
        await self._messaging.__aexit__()

    async def _ask(self, wanted: KeyId) -> Any:
        return await self._messaging.fetch(wanted)

    async def _pool(self) -> Pool:
        return self.pool

    async def _unit_of(self, tenant_id: TenantId) -> UnitOfWork:
        return UnitOfWork(self.pool, source="/bloom/ml-scoring", context=Context(tenant_id, new_id()), clock=self.clock)

    async def _park(self, received: Any, reason: str) -> None:
        self.parked.append((received.cause.id, reason))


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Awaitable[Any]]:
    """Waits until a question has an answer, and gives it."""

    async def until(question: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := await question()):
            assert time.monotonic() < deadline, "it did not come true in time"
            await asyncio.sleep(0.05)
        return answer

    return until


@pytest.fixture(scope="module")
def database(service_database: Callable[..., ServiceDatabase]) -> ServiceDatabase:
    return service_database("ml-scoring")


@pytest.fixture
async def pool(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.app_url), size=12, application_name="ml-scoring-tests")
    yield pool
    await pool.close()


@pytest.fixture
async def owner(database: ServiceDatabase) -> AsyncIterator[Pool]:
    pool = await create_pool(SecretStr(database.owner_url), size=2, application_name="ml-scoring-tests-owner")
    yield pool
    await pool.close()


@pytest.fixture
async def told(database: ServiceDatabase) -> AsyncIterator[Callable[[UUID], Awaitable[list[dict[str, Any]]]]]:
    """Reads, as the relay does, what a tenant has published, in order: type, headers and fields."""
    pool = await create_pool(SecretStr(database.relay_url), size=2, application_name="ml-scoring-tests-relay")

    async def events_of(tenant_id: UUID) -> list[dict[str, Any]]:
        rows = await pool.fetch("select type, headers, payload from outbox where tenant_id = $1 order by id", tenant_id)
        return [{"type": row["type"], **json.loads(row["headers"]), **json.loads(row["payload"])} for row in rows]

    yield events_of
    await pool.close()


@pytest.fixture(scope="session")
def model_store(make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions of a tiny model, and one whose weights are not what was sealed."""
    root = tmp_path_factory.mktemp("store")
    make_model(root)
    make_model(root, version="2", seed=7)
    broken = make_model(root, version="3", seed=9)
    (broken / "model.onnx").write_bytes(b"not a graph")
    return root


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture
async def shelf(model_store: Path, tmp_path: Path) -> AsyncIterator[ModelShelf]:
    registry = ModelRegistry(FolderStore(model_store), tmp_path, Arrival())
    shelf = ModelShelf(registry, MODEL, shape=PoolShape(threads=2, queue_limit=200))
    await shelf.start()
    yield shelf
    shelf.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
async def scoring(pool: Pool, shelf: ModelShelf, key_server: KeyServer, clock: FixedClock) -> AsyncIterator[Scoring]:
    scoring = Scoring(pool, shelf, key_server, clock)
    yield scoring
    await scoring.close()
