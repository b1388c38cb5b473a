"""The repository keeps its own rules, and every rule bites when it is broken on purpose."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import rules
from tools.steps import ROOT

BREACHES = {
    "only_known_rooms": {
        "services/pets/pyproject.toml": "[project]\nname='pets'\n",
        "services/pets/src/pets/business.py": '"""Doc."""\n',
    },
    "names_that_say_something": {"libs/kit/src/kit/utils.py": '"""Doc."""\n'},
    "no_packages_below_tests": {"libs/kit/tests/__init__.py": ""},
    "modules_say_what_they_are_for": {"libs/kit/src/kit/clock.py": "x = 1\n"},
    "public_library_names_are_documented": {"libs/kit/src/kit/clock.py": '"""Doc."""\n\n\ndef now() -> int:\n    return 1\n'},
    "small_functions_and_files": {"libs/kit/src/kit/clock.py": "def long():\n" + "    x = 1\n" * 41},
    "settings_are_built_by_roots_only": {"services/pets/src/pets/routes.py": "settings = Settings()\n"},
    "service_kit_knows_no_business": {"libs/service-kit/src/service_kit/inbox.py": '"""For every patient."""\n'},
    "logs_take_ids_only": {"services/pets/src/pets/routes.py": "log.info('signed-in', email=email)\n"},
    "sql_is_never_pasted_together": {"services/pets/src/pets/repository.py": "connection.fetch(f'select {x}')\n"},
    "business_tables_are_tenant_isolated": {
        "services/pets/pyproject.toml": "[project]\nname='pets'\n",
        "services/pets/src/pets/main.py": '"""Doc."""\n',
        "services/pets/migrations/0002_pets.sql": "create table pets (\n  id uuid primary key\n);\n",
    },
    "plumbing_is_the_library_copy": {
        "services/pets/pyproject.toml": "[project]\nname='pets'\n",
        "services/pets/migrations/0001_plumbing.sql": "create table outbox (id bigint);\n",
        "libs/service-kit/src/service_kit/outbox.sql": "create table outbox (id bigint, event_id uuid);\n",
    },
    "migrations_fit_two_releases": {"services/pets/migrations/0002_names.sql": "alter table pets drop column name;\n"},
    "readmes_have_the_seven_headings": {
        "services/pets/pyproject.toml": "[project]\nname='pets'\n",
        "services/pets/README.md": "# Pets\n## For\n",
    },
    "no_download_addresses": {"requirements/x.txt": f"https://packages.invalid/a-1.0.{'whl'}\n"},
    "services_never_call_each_other": {"services/pets/src/pets/use_cases.py": "import httpx\n"},
    "services_declare_their_packages": {"services/pets/pyproject.toml": "[project]\nname='pets'\ndependencies=['leftpad']\n"},
}


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_repository_keeps_the_rule(rule):
    assert list(rule(ROOT)) == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_planted_breach_of_the_rule_is_found(rule, tmp_path: Path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name, text in BREACHES[rule.__name__].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(rule(tmp_path)), f"{rule.__name__} did not notice its breach"


@pytest.mark.promise("SE5")
def test_no_statement_is_pasted_together_from_strings():
    assert list(rules.sql_is_never_pasted_together(ROOT)) == []


@pytest.mark.parametrize("name", ["clients.py", "clients/__init__.py", "clients/sms.py"])
def test_the_room_clients_may_open_an_http_client_in_one_file_or_several(name, tmp_path: Path):
    assert list(called_from(f"services/pets/src/pets/{name}", tmp_path)) == []


@pytest.mark.parametrize("name", ["use_cases/clients.py", "domain/clients/sms.py", "routes.py"])
def test_no_other_room_may_whatever_its_files_are_called(name, tmp_path: Path):
    assert list(called_from(f"services/pets/src/pets/{name}", tmp_path)) == [
        f"services/pets/src/pets/{name}: an HTTP client outside clients"
    ]


def called_from(name: str, root: Path) -> Iterator[str]:
    """What the rule says of a repository whose only file opens an HTTP client."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text("import httpx\n")
    return rules.services_never_call_each_other(root)


@pytest.mark.promise("PL17")
def test_no_service_calls_another_synchronously():
    assert list(rules.services_never_call_each_other(ROOT)) == []
