"""The sample service on real servers, in this process and in processes of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from service_kit.database import Pool, create_pool

PRELUDE = """
import asyncio
from typing import ClassVar
from fastapi import APIRouter
from service_kit.http_app import create_service_app
from service_kit.process import run_api, run_migrations, run_relay, run_until_signal
from service_kit.settings import ServiceSettings, service_config

class Settings(ServiceSettings):
    model_config = service_config("SAMPLE_")
    service_name: ClassVar[str] = "sample"

router = APIRouter()

@router.get("/slow")
async def slow(seconds: float) -> dict[str, str]:
    print("WORKING", flush=True)
    await asyncio.sleep(seconds)
    return {"done": "yes"}
"""
API = 'run_api(lambda settings: create_service_app(settings, title="Sample", routers=[router]), Settings())'


class Process:
    """A Python process of a script, with its output."""

    def __init__(self, script: str, **environment: str) -> None:
        self.port = free_port()
        fixed = {
            "SAMPLE_ENVIRONMENT": "local",
            "SAMPLE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/no",
            "SAMPLE_PORT": str(self.port),
        }
        self.child = subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, **fixed, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""

    def wait_for(self, text: str) -> None:
        """Reads on until a line holds `text`."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.output += line
            if text in line:
                return
        raise AssertionError(f"{text!r} never came:\n{self.output}")

    def end(self) -> int:
        """Waits for the end and gives the exit status."""
        rest, _ = self.child.communicate(timeout=10)
        self.output += rest
        return self.child.returncode


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts processes of a script, `API` without one, and leaves none behind."""
    started: list[Process] = []

    def begin(script: str = API, **environment: str) -> Process:
        started.append(Process(f"{PRELUDE}\n{script}", **environment))
        return started[-1]

    yield begin
    for process in started:
        process.child.kill()
        process.child.communicate()


@pytest.fixture(scope="module")
def sample_database(service_database: Callable[..., Any], sample_migrations: Path) -> Any:
    return service_database("sample", migrations=sample_migrations)


@pytest.fixture
async def pool(sample_database: Any) -> AsyncIterator[Pool]:
    """The application role's pool."""
    opened = await create_pool(SecretStr(sample_database.app_url), size=8, application_name="sample-tests")
    yield opened
    await opened.close()


@pytest.fixture
async def owner(sample_database: Any) -> AsyncIterator[Pool]:
    """The owner's pool."""
    opened = await create_pool(SecretStr(sample_database.owner_url), size=2, application_name="sample-owner")
    yield opened
    await opened.close()


@pytest.fixture
async def relay_pool(sample_database: Any) -> AsyncIterator[Pool]:
    """The relay role's pool: it sees the outbox of all tenants."""
    opened = await create_pool(SecretStr(sample_database.relay_url), size=2, application_name="sample-relay")
    yield opened
    await opened.close()


@pytest.fixture
async def live(app: FastAPI, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the sample service, which runs on a real database."""
    app.state.kit.database = pool
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://sample") as opened:
        yield opened
