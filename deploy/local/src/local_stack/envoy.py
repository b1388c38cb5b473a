"""The gateway: Envoy from its wheel, with the configuration that the `gateway` package renders for this machine."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway import envoy_command, prepare, preset
from local_stack.component import OneProcess
from local_stack.paths import ROOT
from local_stack.ports import is_listening
from local_stack.process import ChildProcess
from local_stack.services import http_status

OPENAPI = ROOT / "docs" / "openapi.json"


class EnvoyGateway(OneProcess):
    """One Envoy before the APIs in `upstreams` (name to `host:port`)."""

    name = "gateway"

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        admin_port: int,
        upstreams: Mapping[str, str],
        logs: Path,
        pids: Path,
        rate_factor: float = 1.0,
        guarded: bool = False,
    ) -> None:
        self.folder = folder
        self.port = port
        self._admin_port = admin_port
        self._target = replace(preset("local"), port=port, admin_port=admin_port, upstreams=upstreams, rate_factor=rate_factor)
        self._process = ChildProcess(
            "gateway",
            envoy_command(folder / "envoy.yaml", concurrency=1),
            log=logs / "gateway.log",
            pid_file=pids / "gateway.pid",
            guarded=guarded,
        )

    @property
    def url(self) -> str:
        """Where browsers and apps go."""
        return f"http://{self.address}"

    def start(self) -> None:
        """Render the configuration and start Envoy; returns before it is ready."""
        prepare(self._target, self.folder, openapi=OPENAPI if OPENAPI.exists() else None)
        self._process.start()

    def is_ready(self) -> bool:
        """Whether Envoy has its configuration and listens."""
        return http_status(self._admin_port, "/ready") == 200 and is_listening(self.port)
