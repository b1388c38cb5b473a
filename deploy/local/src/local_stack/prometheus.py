"""Prometheus beside the stack, where it is installed: it asks every process and computes the committed rules."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_stack.component import OneProcess
from local_stack.paths import ROOT
from local_stack.ports import HOST
from local_stack.process import ChildProcess
from local_stack.scraping import scrape_configuration
from local_stack.services import http_status

RULES = ROOT / "deploy/observability/prometheus/rules"
MISSING = "Prometheus is not installed here (no `prometheus` on the PATH): the platform starts without it."

# Every target is asked once in the first 15 seconds; a busy machine takes longer.
_FIRST_ROUND_SECONDS = 45.0


def program() -> str | None:
    """Where the program is, or None where nobody has installed it."""
    return shutil.which("prometheus")


class Prometheus(OneProcess):
    """One server with its data and its configuration under `folder`, for a stack on these ports."""

    name = "prometheus"

    def __init__(self, folder: Path, ports: Mapping[str, int], *, log: Path, pid_file: Path, guarded: bool = False) -> None:
        self.port = ports["prometheus"]
        self._ports = ports
        self._folder = folder
        command = [
            program() or "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            "--storage.tsdb.retention.time=7d",
            "--enable-feature=exemplar-storage",
        ]
        self._process = ChildProcess(self.name, command, log=log, pid_file=pid_file, guarded=guarded)

    def start(self) -> None:
        """Write its configuration anew and start it; returns before it is ready."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "prometheus.yml").write_text(scrape_configuration(self._ports, f"{RULES}/*.yml"))
        self._process.start()

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        return http_status(self.port, "/-/ready") == 200

    def targets(self) -> Counter[str]:
        """How many targets are up, down, or not asked yet (unknown)."""
        return Counter(target["health"] for target in self._ask("targets?state=active")["activeTargets"])

    def first_round(self) -> Counter[str]:
        """The targets once each has been asked, or after the time that this takes at most."""
        until = time.monotonic() + _FIRST_ROUND_SECONDS
        found = self.targets()
        # It answers before it has read its own list: no target at all means the same as one that was not asked yet.
        while (not found or found["unknown"]) and time.monotonic() < until:
            time.sleep(0.5)
            found = self.targets()
        return found

    def alerts(self) -> list[str]:
        """The names of the alerts that fire now."""
        return sorted({alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"})

    def rules(self) -> set[str]:
        """The names of all alerts and recorded series that it computes."""
        return {rule["name"] for group in self._ask("rules")["groups"] for rule in group["rules"]}

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{what}", timeout=5) as answer:
            return json.load(answer)["data"]
