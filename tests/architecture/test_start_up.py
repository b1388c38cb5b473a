"""What starts again after a fault starts quickly: relays and workers carry no web framework along."""

import subprocess
import sys

from tools.rules import services
from tools.steps import ROOT

_PROBE = "import sys; sys.modules['fastapi'] = None; import {}"


def _starts_without_fastapi(*modules: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _PROBE.format(", ".join(modules))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_relays_and_workers_load_no_web_framework():
    named = {path.name.replace("-", "_"): path for path in services(ROOT)}
    with_workers = [each for each, path in named.items() if (path / "src" / each / "worker.py").is_file()]
    assert len(with_workers) >= 6
    started = _starts_without_fastapi(*(f"{each}.__main__" for each in named), *(f"{each}.worker" for each in with_workers))
    assert started.returncode == 0, started.stderr


def test_an_api_would_be_noticed():
    assert "fastapi" in _starts_without_fastapi("billing.main").stderr
