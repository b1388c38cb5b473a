"""The services' processes: `python -m <service> api|worker|relay|socket|lake`, their environment, and how one sees them ready."""

import http.client
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.component import OneProcess
from local_stack.errors import StackError
from local_stack.names import import_name
from local_stack.paths import ROOT, migrations_folder
from local_stack.ports import HOST
from local_stack.postgres import ServiceDatabase
from local_stack.process import ChildProcess

SERVICES: Mapping[str, tuple[str, ...]] = {
    "auth": ("api", "relay"),
    "appointments": ("api", "worker", "relay"),
    "billing": ("api", "worker", "relay"),
    "messaging": ("api", "worker", "relay", "socket"),
    "ml-scoring": ("api", "worker", "relay"),
    "notifications": ("api", "worker", "relay"),
    "analytics": ("api", "worker", "relay", "lake"),
}
# Everything else that a service is asked to do is an operator's command, which gets the roles of owner and relay too.
_PROCESSES = frozenset({"api", "worker", "relay", "socket", "lake"})
# What serves clients has its health on the port that they use.
_SERVING = frozenset({"api", "socket"})


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a service's processes are told about the world: the addresses of everything that they talk to."""

    environment: str
    databases: Mapping[str, ServiceDatabase]
    kafka_bootstrap: str
    valkey_url: str
    jwks_url: str
    own_settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, service: str, process: str, *, port: int) -> dict[str, str]:
        """The variables of one process; each gets the database roles that it needs and no other."""
        prefix = import_name(service).upper()
        database = self.databases[service]
        values = {
            "ENVIRONMENT": self.environment,
            "DATABASE_URL": database.app_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap,
            "VALKEY_URL": self.valkey_url,
            # Auth knows its own keys without asking itself over HTTP.
            **({} if service == "auth" else {"JWKS_URL": self.jwks_url}),
            "HOST": HOST,
            "PORT" if process in _SERVING else "PROBE_PORT": str(port),
            **self.own_settings.get(service, {}),
        }
        is_command = process not in _PROCESSES
        if process == "relay" or is_command:
            values["RELAY_DATABASE_URL"] = database.relay_url
        if is_command:
            values["MIGRATION_DATABASE_URL"] = database.owner_url
            values["MIGRATIONS_FOLDER"] = str(migrations_folder(service))
        return {f"{prefix}_{name}": value for name, value in values.items()}


class ServiceProcess(OneProcess):
    """One process of a service; `port` answers `/health/ready`, for an API beside everything else."""

    # Two dozen of them start at once, and one that ends is noticed at once.
    start_seconds = 120.0

    def __init__(
        self,
        service: str,
        process: str,
        *,
        port: int,
        environment: Mapping[str, str],
        logs: Path,
        pids: Path,
        folder: Path | None = None,
        instance: int = 1,
        guarded: bool = False,
    ) -> None:
        self.name = f"{service}-{process}" + (f"-{instance}" if instance > 1 else "")
        self.port = port
        self._folder = folder
        self._process = ChildProcess(
            self.name,
            [sys.executable, "-m", import_name(service), process],
            log=logs / f"{self.name}.log",
            pid_file=pids / f"{self.name}.pid",
            environment={**os.environ, **environment},
            folder=folder or ROOT,
            guarded=guarded,
        )

    def start(self) -> None:
        """Start it; returns before it is ready."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._process.start()

    def is_ready(self) -> bool:
        """Whether it says that it can do its work."""
        return http_status(self.port, "/health/ready") == 200


def http_status(port: int, path: str, *, limit_seconds: float = 3.0) -> int | None:
    """The status of a GET on this machine; None when nobody answers in time."""
    connection = http.client.HTTPConnection(HOST, port, timeout=limit_seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


async def migrate_service(service: str, database: ServiceDatabase) -> str:
    """Bring a service's database up to date; says how many files ran. StackError when folder and database do not fit."""
    from pydantic import SecretStr

    from service_kit.migrate import MigrationsDoNotFit, migrate

    try:
        applied = await migrate(SecretStr(database.owner_url), migrations_folder(service))
    except MigrationsDoNotFit as error:
        raise StackError(f"{service}-migrations", f"{error}; `make reset` deletes the local data") from error
    return f"{len(applied)} new" if applied else "up to date"
