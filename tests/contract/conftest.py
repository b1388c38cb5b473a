"""The services for real, each with its planted records, once per run of these tests."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import httpx
import pytest
from tests.contract import planted, planted_crisis, planted_numbers
from tests.contract.live import Live, running

from local_stack.process import wait_until
from local_stack.secret_files import new_vapid_key
from service_kit.testing import FixedClock

if TYPE_CHECKING:
    from local_stack.postgres import ServiceDatabase

# Signing in happens at this moment too, and an access token of a clock that runs ahead would be refused elsewhere.
NOW = datetime(2030, 1, 7, 8, 0, tzinfo=UTC)
MANY = "1000000/minute"


@contextmanager
def live_appointments(database: "ServiceDatabase", _ask: pytest.FixtureRequest) -> Iterator[Live]:
    from appointments.main import create_app
    from appointments.settings import Settings

    with running(create_app(Settings(environment="test", database_url=database.app_url)), FixedClock(NOW)) as live:
        planted.plant_appointments(live)
        yield live


@contextmanager
def live_billing(database: "ServiceDatabase", _ask: pytest.FixtureRequest) -> Iterator[Live]:
    from billing.main import create_app
    from billing.settings import Settings

    with running(create_app(Settings(environment="test", database_url=database.app_url)), FixedClock(NOW)) as live:
        planted.plant_invoices(live)
        yield live


@contextmanager
def live_auth(database: "ServiceDatabase", _ask: pytest.FixtureRequest) -> Iterator[Live]:
    from auth.main import create_app
    from auth.settings import Settings

    tenants = asyncio.run(_make_tenants(database.owner_url))
    settings = Settings(
        environment="test", database_url=database.app_url, default_tenant="home", master_key=base64.b64encode(bytes(32)).decode(),
        sign_in_limit_per_client=MANY, sign_in_limit_per_account=MANY, register_limit_per_client=MANY,
        refresh_limit_per_client=MANY,
    )  # fmt: skip
    with running(create_app(settings), FixedClock(NOW), own_tokens=True) as live:
        planted.plant_users(live, tenants)
        yield live


async def _make_tenants(owner_url: str) -> dict[str, UUID]:
    from auth.use_cases.tenants import create_tenant

    owner = await asyncpg.connect(owner_url)
    try:
        return {slug: await create_tenant(owner, slug=slug, name=f"Practice {slug}", now=NOW) for slug in ("home", "elsewhere")}
    finally:
        await owner.close()


@contextmanager
def live_messaging(database: "ServiceDatabase", ask: pytest.FixtureRequest) -> Iterator[Live]:
    from local_stack.own_settings import new_key_encryption_keys, objects_settings
    from messaging.main import create_app
    from messaging.settings import Settings

    keys = ask.getfixturevalue("tmp_path_factory").mktemp("keys") / "keys.json"
    keys.write_text(new_key_encryption_keys())
    objects = objects_settings(ask.getfixturevalue("object_store"))
    limits = {name: MANY for name in Settings.model_fields if "_limit_per_" in name}
    settings = Settings(
        environment="test", database_url=database.app_url, key_encryption=f"file:{keys}",
        **{name.lower(): value for name, value in objects.items()}, **limits,
    )  # fmt: skip
    with running(create_app(settings), FixedClock(NOW)) as live:
        planted_crisis.plant_conversations(live)
        yield live


@contextmanager
def live_ml_scoring(database: "ServiceDatabase", _ask: pytest.FixtureRequest) -> Iterator[Live]:
    from local_stack.own_settings import MODELS
    from ml_scoring.main import create_app
    from ml_scoring.settings import Settings

    # The generated cases come faster than people ask; that the queue refuses what is too much has a test of its own.
    settings = Settings(environment="test", database_url=database.app_url, models=str(MODELS), predict_queue_limit=10_000)
    with running(create_app(settings), FixedClock(NOW)) as live:
        assert wait_until(lambda: httpx.get(f"{live.url}/health/ready", timeout=10).status_code == 200, 60)
        planted_crisis.plant_scores(live)
        yield live


@contextmanager
def live_notifications(database: "ServiceDatabase", _ask: pytest.FixtureRequest) -> Iterator[Live]:
    from notifications.main import create_app
    from notifications.settings import Settings

    settings = Settings(
        environment="test", database_url=database.app_url, master_key=base64.b64encode(bytes(32)).decode(),
        push_key=new_vapid_key(), push_subject="mailto:operators@bloom.test", push_hosts="push.example.test",
    )  # fmt: skip
    with running(create_app(settings), FixedClock(NOW)) as live:
        planted_crisis.plant_alerts(live)
        yield live


@contextmanager
def live_analytics(database: "ServiceDatabase", _ask: pytest.FixtureRequest) -> Iterator[Live]:
    from analytics.main import create_app
    from analytics.settings import Settings

    # A stream goes on for as long as somebody reads it, which a generated case does to its end.
    settings = Settings(environment="test", database_url=database.app_url, stream_seconds=0.05, streams_per_person=100)
    with running(create_app(settings), FixedClock(NOW)) as live:
        planted_numbers.plant_windows(live)
        yield live


SERVICES = {
    "analytics": live_analytics,
    "appointments": live_appointments,
    "auth": live_auth,
    "billing": live_billing,
    "messaging": live_messaging,
    "ml-scoring": live_ml_scoring,
    "notifications": live_notifications,
}


@pytest.fixture(scope="module")
def live_services(
    service_database: Callable[[str], "ServiceDatabase"], request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Live]]:
    """Start a service when a test first asks for it."""
    started: dict[str, Live] = {}
    with ExitStack() as stack:

        def live(service: str) -> Live:
            if service not in started:
                started[service] = stack.enter_context(SERVICES[service](service_database(service), request))
            return started[service]

        yield live
