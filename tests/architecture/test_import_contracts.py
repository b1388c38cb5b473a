"""Every import contract of pyproject.toml bites: a copy of the sources with one forbidden import does not pass."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.steps import ROOT, tool

BREACHES = {
    "Services meet only in libs/events": ("services/billing/src/billing/settings.py", "import appointments.settings"),
    "Libraries know no service": ("libs/events/src/bloom_events/ids.py", "import service_kit.errors"),
    "Running services never need the local stack": ("services/auth/src/auth/settings.py", "import local_stack.ports"),
    "Rooms: the top may import below": (
        "services/billing/src/billing/settings.py",
        "import billing.domain.money\nimport billing.routes",
    ),
    "The domain is plain Python": ("services/auth/src/auth/domain/users.py", "import pydantic"),
    "Use cases know neither HTTP nor Kafka": ("services/billing/src/billing/use_cases/books.py", "import fastapi"),
    "Routes and agents never touch the repository": (
        "services/billing/src/billing/routes/terms.py",
        "import billing.repository.terms",
    ),
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    sources = [*root.glob("libs/*/src"), *root.glob("services/*/src"), *root.glob("deploy/*/src"), root / "tools/src"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources))}
    command = [tool("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contracts")
    for group in ("libs", "services", "deploy", "tools"):
        for source in (ROOT / group).rglob("src"):
            if source.is_dir() and ".local" not in source.parts:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, root / source.relative_to(ROOT), ignore=ignored, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_the_sources_keep_every_contract(copy):
    kept = lint(copy)
    assert kept.returncode == 0, kept.stdout


@pytest.mark.parametrize("contract", BREACHES)
def test_a_forbidden_import_breaks_its_contract(copy, contract):
    name, breach = BREACHES[contract]
    path = copy / name
    before = path.read_text()
    path.write_text(f"{before}\n{breach}\n")
    try:
        broken = lint(copy)
    finally:
        path.write_text(before)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert any(line.startswith(contract) and line.endswith("BROKEN") for line in broken.stdout.splitlines()), broken.stdout


def test_no_contract_is_left_unbroken():
    text = (ROOT / "pyproject.toml").read_text()
    named = [line.split('"')[1] for line in text.splitlines() if line.startswith('name = "')]
    assert len(named) == len(BREACHES)
    assert all(any(each.startswith(contract) for each in named) for contract in BREACHES)
