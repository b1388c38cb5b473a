"""Objects by the API of S3, from SeaweedFS in its wheel: buckets behind one pair of keys, everything on this machine alone.

SeaweedFS is four servers in one process. The S3 one is what clients use; the three behind it take requests that carry a token
signed with a key of this folder, so that nobody reads past the S3 keys. Its telemetry is off.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_stack.buckets import BUCKETS, OBJECTS_USER, S3Access, is_serving
from local_stack.component import OneProcess
from local_stack.errors import StackError
from local_stack.ports import HOST, free_ports, is_listening
from local_stack.process import ChildProcess
from local_stack.secret_files import secret

# Of the three servers behind the S3 one and of S3's own gRPC: nobody needs to know them, and any free ones will do.
_HIDDEN = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc",
)  # fmt: skip


class ObjectStore(OneProcess):
    """One server with its buckets; the keys are made at the first start and kept in `secrets` (mode 0600)."""

    name = "objects"
    start_seconds = 60.0
    # An orderly end waits for idle connections; what is written lies with the kernel by then.
    stop_seconds = 2.0

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        buckets: Sequence[str] = BUCKETS,
        guarded: bool = False,
        secrets: Path | None = None,
        log: Path | None = None,
        pid_file: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_ports(1)[0]
        self.buckets = tuple(buckets)
        self._secrets = secrets or folder / "secrets"
        self._options = folder / "weed.options"
        self._process = ChildProcess(
            "objects",
            # The program stands beside the interpreter of the environment that it was installed into.
            [str(Path(sys.executable).with_name("weed")), "server", f"-options={self._options}"],
            log=log or folder / "objects.log",
            pid_file=pid_file or folder / "objects.pid",
            folder=folder,
            guarded=guarded,
        )

    @property
    def url(self) -> str:
        """The endpoint for clients of S3."""
        return f"http://{self.address}"

    @property
    def access_key(self) -> str:
        """The name that requests are signed by."""
        return OBJECTS_USER

    @property
    def secret_key(self) -> str:
        """The key that requests are signed with, made the first time that somebody asks."""
        return secret(self._secrets, "objects")

    def start(self) -> None:
        """Start the server; returns before it is ready."""
        if self._process.is_alive():
            return
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        _write_private(self.folder / "s3.json", json.dumps(self._identities()))
        _write_private(self.folder / "security.toml", self._security())
        _write_private(self._options, "\n".join(f"{name}={value}" for name, value in self._settings().items()) + "\n")
        self._process.start()

    @property
    def access(self) -> S3Access:
        """Address and keys for a client of S3."""
        return S3Access(self.url, self.access_key, self.secret_key)

    def is_ready(self) -> bool:
        """Whether it keeps and gives objects and has its buckets; makes those that are missing."""
        return is_listening(self.port) and is_serving(self.access, self.buckets)

    def client(self) -> Any:
        """A client of boto3 with the keys; whoever asked for it closes it."""
        return self.access.client()

    def _settings(self) -> dict[str, object]:
        return {
            "dir": self.folder / "data",
            "ip": HOST,
            "ip.bind": HOST,
            "master.telemetry": "false",
            # Small files in small numbers: volumes are made several at a time and grow up to this size.
            "master.volumeSizeLimitMB": 256,
            "volume.max": 100,
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.localSocket": self.folder / "filer.sock",
            "s3": "true",
            "s3.port": self.port,
            "s3.config": self.folder / "s3.json",
            "s3.localSocket": self.folder / "s3.sock",
            "s3.autoCreateBucket": "false",
            # Catalogues of tables that nobody asks for.
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            **dict(zip(_HIDDEN, free_ports(len(_HIDDEN)), strict=True)),
        }

    def _identities(self) -> dict[str, object]:
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        return {
            "identities": [{"name": "bloom", "credentials": [keys], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]
        }

    def _security(self) -> str:
        tables = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
        return "".join(f'[{table}]\nkey = "{secret(self._secrets, f"objects-{table}")}"\n' for table in tables)


def _write_private(file: Path, text: str) -> None:
    try:
        file.touch(mode=0o600)
        file.write_text(text)
    except OSError as error:
        raise StackError("objects", f"cannot write {file.name}: {error.strerror}") from error
