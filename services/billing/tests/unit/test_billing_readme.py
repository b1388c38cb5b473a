"""The README says what the code does: its routes, what it listens to and publishes, its processes and its settings."""

import inspect
import re
from pathlib import Path

from pydantic import SecretStr

import billing.domain.invoices as invoices_module
from billing.agents import LISTENS_TO
from billing.main import create_app
from billing.settings import Settings
from bloom_events.billing import EVENTS

README = (Path(__file__).parents[2] / "README.md").read_text()
MIGRATIONS = Path(__file__).parents[2] / "migrations"


def section(heading: str) -> str:
    return README.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_the_routes_are_those_of_the_api() -> None:
    app = create_app(Settings(environment="test", database_url=SecretStr("postgresql://127.0.0.1/nothing")))
    routes = {f"{method} {path}" for path, item in app.openapi()["paths"].items() for method in map(str.upper, item)}

    assert set(re.findall(r"`((?:GET|PUT|POST) /[^`]+)`", section("Answers"))) == routes


def test_the_events_are_those_of_the_code() -> None:
    published = [event.TYPE for event in EVENTS if event.__name__ in inspect.getsource(invoices_module)]

    assert re.findall(r"`(appointment\.[a-z.-]+v1)`", section("Listens to")) == [event.TYPE for event in LISTENS_TO]
    assert set(re.findall(r"`(invoice\.[a-z.-]+v1)`", section("Publishes"))) == set(published)


def test_the_tables_are_those_of_the_migrations() -> None:
    created = {table for path in MIGRATIONS.glob("*.sql") for table in re.findall(r"create table (\w+)", path.read_text())}

    assert set(re.findall(r"`(\w+)`", section("Owns"))) == created


def test_the_processes_and_settings_exist() -> None:
    named = re.findall(r"`BILLING_([A-Z_]+)`", section("Settings"))

    assert {name.lower() for name in named} <= set(Settings.model_fields)
    assert {name.upper() for name, field in Settings.model_fields.items() if field.is_required()} <= set(named)
    assert "api | worker | relay" in section("Processes")
