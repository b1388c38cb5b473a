"""Real servers for tests: PostgreSQL, Kafka, Valkey, objects, mail and other providers, each started when a test first asks.

They are gone when the run ends, listen on free ports beside whatever else runs, keep their data in a folder of the run, and
are killed with the run however it ends. A test that uses one of them carries the marker `server` by itself.
"""

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local_stack.names import import_name
from local_stack.paths import migrations_folder

if TYPE_CHECKING:
    from local_stack.browser import Browser
    from local_stack.kafka import KafkaCluster
    from local_stack.mail import MailSink
    from local_stack.objects import ObjectStore
    from local_stack.postgres import PostgresServer, ServiceDatabase
    from local_stack.providers import ProviderSimulator
    from local_stack.span_sink import SpanSink
    from local_stack.stack import Stack
    from local_stack.valkey import ValkeyServer

_SERVERS = frozenset(
    {
        "postgres_server",
        "kafka_cluster",
        "kafka_topics",
        "valkey_server",
        "object_store",
        "mail_sink",
        "providers",
        "service_database",
        "platform",
    }
)

# A power cut may lose a test's data. `kill -9` of a server may not: what it wrote is with the kernel, synced or not.
_WITHOUT_SYNC = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}

# Tests sign in and register by the hundred from one address; the limits have tests of their own.
_NO_LIMITS = {
    "SIGN_IN_LIMIT_PER_CLIENT": "100000/minute",
    "SIGN_IN_LIMIT_PER_ACCOUNT": "100000/minute",
    "REGISTER_LIMIT_PER_CLIENT": "100000/minute",
    "REFRESH_LIMIT_PER_CLIENT": "100000/minute",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for a real server, so that `-m "not server"` leaves the quick ones."""
    for item in items:
        if _SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PostgresServer"]:
    """A PostgreSQL server of this test run."""
    from local_stack.postgres import PostgresServer

    server = PostgresServer(tmp_path_factory.mktemp("postgres"), settings=_WITHOUT_SYNC, guarded=True)
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator["KafkaCluster"]:
    """A Kafka of one node of this test run, without topics."""
    from local_stack.kafka import KafkaCluster

    cluster = KafkaCluster(tmp_path_factory.mktemp("kafka"), quick=True, guarded=True)
    try:
        cluster.start()
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.kill()


@pytest.fixture(scope="session")
def kafka_topics(kafka_cluster: "KafkaCluster") -> str:
    """The bootstrap address of a Kafka that has every topic of `bloom_events.topics`, dead letters included."""
    from bloom_events.topics import all_topics
    from local_stack.topics import create_topics

    create_topics(kafka_cluster.bootstrap, all_topics())
    return kafka_cluster.bootstrap


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ValkeyServer"]:
    """A Valkey of this test run."""
    from local_stack.valkey import ValkeyServer

    server = ValkeyServer(tmp_path_factory.mktemp("valkey"), guarded=True)
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ObjectStore"]:
    """An object store of this test run that speaks S3, with its buckets."""
    from local_stack.objects import ObjectStore

    server = ObjectStore(tmp_path_factory.mktemp("objects"), guarded=True)
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def mail_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator["MailSink"]:
    """A mail sink of this test run: `mail_sink.messages(to=...)`."""
    from local_stack.mail import MailSink

    sink = MailSink(tmp_path_factory.mktemp("mail"), guarded=True)
    try:
        sink.start()
        sink.wait_ready()
        yield sink
    finally:
        sink.kill()


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["ProviderSimulator"]:
    """The simulated providers of SMS and push of this test run."""
    from local_stack.providers import ProviderSimulator

    simulator = ProviderSimulator(tmp_path_factory.mktemp("providers"), guarded=True)
    try:
        simulator.start()
        simulator.wait_ready()
        yield simulator
    finally:
        simulator.kill()


@pytest.fixture(scope="session")
def stock_client_modules() -> Path:
    """Where the stock Socket.IO client of npm is installed; give it to `StockClients`."""
    from local_stack.stock_client import install_stock_client

    return install_stock_client()


@pytest.fixture(scope="session")
def browser() -> "Browser":
    """A headless Chromium, installed; tests start it with playwright."""
    from local_stack.browser import install_browser

    return install_browser()


@pytest.fixture(scope="session")
def span_sink() -> Iterator["SpanSink"]:
    """Where the platform of this test run exports its traces to."""
    from local_stack.span_sink import SpanSink

    sink = SpanSink()
    try:
        yield sink
    finally:
        sink.close()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, span_sink: "SpanSink") -> Iterator["Stack"]:
    """The whole platform of this test run, demo tenant included, on free ports; its gateway's rate limits are out of the way."""
    from local_stack.ports import all_free_ports
    from local_stack.seed import seed
    from local_stack.services import SERVICES
    from local_stack.stack import Stack

    folder = tmp_path_factory.mktemp("platform")
    traced = {"OTLP_ENDPOINT": span_sink.url}
    own = {service: traced | (_NO_LIMITS if service == "auth" else {}) for service in SERVICES}
    stack = Stack(folder, ports=all_free_ports(), environment="test", own_settings=own, rate_factor=1000.0, guarded=True)
    try:
        stack.up(lambda _: None)
        seed(stack)
        yield stack
    finally:
        stack.kill()


@pytest.fixture(scope="session")
def _migrated(postgres_server: "PostgresServer") -> Callable[[str, Path | None], str]:
    """Makes, once per service and folder of migrations, the migrated database that all others of the run are copied from."""
    made: dict[tuple[str, Path], str] = {}

    def template(service: str, folder: Path | None) -> str:
        folder = folder or migrations_folder(service)
        if (service, folder) not in made:
            name = f"template_{import_name(service)}_{len(made)}"
            database = postgres_server.create_service_database(service, name=name)
            _run(_migrate(database.owner_url, folder))
            made[service, folder] = name
        return made[service, folder]

    return template


@pytest.fixture(scope="module")
def service_database(
    postgres_server: "PostgresServer", _migrated: Callable[[str, Path | None], str]
) -> Iterator[Callable[..., "ServiceDatabase"]]:
    """Makes a fresh migrated database of a service: `service_database("auth")`; dropped when the module's tests are done.

    `migrations=` names another folder of numbered SQL files than the service's own.
    """
    made: list[str] = []

    def create(service: str, *, migrations: Path | None = None) -> "ServiceDatabase":
        template = _migrated(service, migrations)
        name = f"test_{import_name(service)}_{next(_numbers)}"
        made.append(name)
        return postgres_server.create_service_database(service, name=name, template=template)

    yield create
    for name in made:
        postgres_server.drop_database(name)


_numbers = itertools.count(1)


async def _migrate(owner_url: str, folder: Path) -> None:
    from pydantic import SecretStr

    from service_kit.migrate import migrate

    await migrate(SecretStr(owner_url), folder)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end on a thread with a loop of its own, for a test's loop may already run on this one."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # handed to the caller's thread two lines below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
