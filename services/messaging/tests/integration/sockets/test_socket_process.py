"""The process as it runs in the platform: probes, metrics, kill -9, a thousand connections."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from services.messaging.tests.integration.conftest import ISSUER
from services.messaging.tests.integration.issuer_over_http import keys_of
from services.messaging.tests.integration.sockets.conftest import token_of
from services.messaging.tests.integration.sockets.raw_client import RawClient

from local_stack.ports import free_port
from local_stack.services import ServiceProcess, Surroundings, http_status
from local_stack.stock_client import StockClients

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Person, Practice

    from local_stack.postgres import ServiceDatabase
    from local_stack.valkey import ValkeyServer

MOST_KIB_PER_CONNECTION = 60


@pytest.fixture(scope="module")
def jwks_url() -> Iterator[str]:
    with keys_of(ISSUER) as url:
        yield url


StartProcess = Callable[..., ServiceProcess]


@pytest.fixture
def start(
    database: ServiceDatabase,
    valkey_server: ValkeyServer,
    key_file: Path,
    jwks_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StartProcess]:
    """Starts a socket process; whatever still runs at the end is killed."""
    folder, started = tmp_path_factory.mktemp("sockets"), []
    around = Surroundings(
        environment="test",
        databases={"messaging": database},
        kafka_bootstrap="127.0.0.1:9",
        valkey_url=valkey_server.url,
        jwks_url=jwks_url,
        own_settings={"messaging": {"KEY_ENCRYPTION": f"file:{key_file}", "TOKEN_ISSUER": ISSUER.issuer}},
    )

    def begin(port: int | None = None, *, wait: bool = True, **settings: str) -> ServiceProcess:
        port, instance = port or free_port(), len(started) + 1
        variables = around.of("messaging", "socket", port=port) | {f"MESSAGING_{key}": value for key, value in settings.items()}
        process = ServiceProcess(
            "messaging", "socket", port=port, environment=variables, logs=folder, pids=folder, instance=instance, guarded=True
        )
        started.append(process)
        process.start()
        if wait:
            process.wait_ready()
        return process

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
async def stock(stock_client_modules: Path) -> AsyncIterator[StockClients]:
    async with StockClients(stock_client_modules) as clients:
        yield clients


def page(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def metric(port: int, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = page(port, "/metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0].partition("{")[0] == name)


def log_of(process: ServiceProcess) -> str:
    return process.processes[0].log.read_text()


@pytest.mark.timeout(180)
async def test_it_says_that_it_is_ready_pushes_counts_and_ends_in_order(
    practice: Practice, start: StartProcess, stock: StockClients
) -> None:
    process = await asyncio.to_thread(start)
    patient, therapist, conversation = await practice.pair()
    token = token_of(therapist)
    client = stock.connect(f"http://{process.address}", token, options={"reconnection": False})
    await client.until_told("ready")
    sent = await patient.send(conversation, "A text that no log may hold")
    assert [each["message"] for each in await client.until_told("new-message")] == [sent]
    assert http_status(process.port, "/health/live") == 200
    assert http_status(process.port, "/socket.io/?EIO=4&transport=polling") == 400
    assert http_status(process.port, "/nothing") == 404
    assert metric(process.port, "bloom_socket_connections") == 1
    assert metric(process.port, "bloom_socket_push_seconds_count") == 1
    pid = process.processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert await client.until(lambda me: me.count("disconnect") == 1)
    assert await asyncio.to_thread(psutil.Process(pid).wait, 30) in (0, None)
    log = log_of(process)
    assert '"process.ended"' in log
    assert "no log may hold" not in log
    assert token not in log


@pytest.mark.timeout(180)
@pytest.mark.promise("MS8")
async def test_a_process_that_is_killed_loses_nothing_and_repeats_nothing(
    practice: Practice, start: StartProcess, stock: StockClients
) -> None:
    patient, therapist, conversation = await practice.pair()
    port = free_port()
    process = await asyncio.to_thread(start, port)
    url, quick = f"http://127.0.0.1:{port}", {"reconnectionDelay": 50, "reconnectionDelayMax": 300}
    client = stock.connect(url, token_of(therapist), follow=True, options=quick)
    await client.until_told("ready")
    sent = []
    for number in range(90):
        sent.append(await patient.send(conversation, f"Message {number}"))
        if number % 30 == 15:
            await asyncio.to_thread(process.kill)
            await asyncio.to_thread(process.start)
    await asyncio.to_thread(process.wait_ready)
    assert await client.until(lambda me: len(me.of("new-message")) >= len(sent))
    assert [each["message"]["id"] for each in client.of("new-message")] == [each["id"] for each in sent]


@pytest.mark.timeout(180)
async def test_it_is_unready_without_its_database_and_says_why(start: StartProcess) -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    process = await asyncio.to_thread(start, wait=False, **nowhere)
    for _ in range(600):
        if http_status(process.port, "/health/ready") == 503:
            break
        await asyncio.sleep(0.1)
    assert "database" in page(process.port, "/health/ready")
    assert http_status(process.port, "/health/live") == 200


@dataclass
class Crowd:
    """Pairs who write to each other, each with a connection that only reads."""

    clients: list[tuple[RawClient, str]] = field(default_factory=list)

    async def connect(self, port: int, pairs: list[tuple[Person, Person, str]]) -> None:
        """Twenty connections of each of them."""
        for *people, conversation in pairs:
            self.clients += [(await RawClient.connect(port, token_of(person)), conversation) for person in people * 20]
        for client, conversation in self.clients:
            assert conversation.encode() in await client.read_until(b"]}]")

    async def close(self) -> None:
        for client, _ in self.clients:
            await client.close()


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    crowd = Crowd()
    yield crowd
    await crowd.close()


@pytest.mark.promise("MS4", "MS11")
@pytest.mark.timeout(400)
async def test_a_thousand_connections_get_what_is_theirs_and_take_little_memory(
    practice: Practice, start: StartProcess, crowd: Crowd
) -> None:
    # They answer no pings, so none may come while the test lasts.
    process = await asyncio.to_thread(start, SOCKET_PING_SECONDS="600")
    running = process.processes[0].process()
    assert running is not None
    pairs = [await practice.pair() for _ in range(25)]
    before = running.memory_info().rss
    await crowd.connect(process.port, pairs)
    assert metric(process.port, "bloom_socket_connections") == 1000
    each = (running.memory_info().rss - before) / 1024 / 1000
    assert each <= MOST_KIB_PER_CONNECTION, f"{each:.0f} KiB a connection"
    sent = {conversation: (await patient.send(conversation, "Hello"))["id"] for patient, _, conversation in pairs}
    for client, conversation in crowd.clients:
        told = await client.read_until(b'"attachments":[]}}]')
        assert told.count(b'"new-message"') == 1
        assert sent[conversation].encode() in told
