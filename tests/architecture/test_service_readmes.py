"""A service's README says what the code does: the sections Owns to Settings are compared with it, both ways."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import TOPICS, Topic
from local_stack.names import import_name
from service_kit.settings import ServiceSettings
from tools.apps import service_names, unconnected_app
from tools.steps import ROOT

SERVICES = service_names()
each_service = pytest.mark.parametrize("service", SERVICES)

WIRE_TYPE = re.compile(r"`((?!bloom\.)[a-z-]+\.[a-z-]+\.v\d+)`")
TOPIC = re.compile(r"`(bloom(?:\.[a-z-]+)+\.v\d+)`")
ROUTE = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]+)`")


def folder_of(service: str) -> Path:
    return ROOT / "services" / service


def section(service: str, heading: str) -> str:
    """The text below one heading of a service's README."""
    text = (folder_of(service) / "README.md").read_text()
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{service}/README.md has no section {heading}"
    return found.group(1)


def listened_to(service: str) -> set[str]:
    """The wire types that a service's worker handles."""
    if not (folder_of(service) / "src" / import_name(service) / "worker.py").is_file():
        return set()
    agents = importlib.import_module(f"{import_name(service)}.agents")
    return {event.TYPE for event in agents.LISTENS_TO}


def published(service: str) -> dict[str, str]:
    """The wire types that belong to a service, each with the name of its class."""
    name = service.replace("_", "-")
    return {wire_type: kind.__name__ for wire_type, kind in EVENT_TYPES.items() if name in kind.TOPIC.producers}


def topics(service: str, *, side: str) -> set[str]:
    """The names of the topics that a service is a producer or a consumer of."""
    return {topic.name for topic in TOPICS if service in parties(topic, side)}


def parties(topic: Topic, side: str) -> tuple[str, ...]:
    return topic.producers if side == "producers" else topic.consumers


def internal_routes(app: FastAPI) -> set[tuple[str, str]]:
    """What other services may ask; it is in no document for callers."""
    routes = [route for route in app.routes if isinstance(route, APIRoute) and route.path.startswith("/internal/")]
    return {(method, route.path) for route in routes for method in route.methods}


@each_service
def test_owns_names_every_table_and_nothing_else(service: str):
    migrations = "\n".join(path.read_text() for path in sorted((folder_of(service) / "migrations").glob("*.sql")))
    tables = set(re.findall(r"^create table (?:if not exists )?(\w+)", migrations, re.MULTILINE | re.IGNORECASE))

    assert set(re.findall(r"`([a-z_]+)`", section(service, "Owns"))) == tables


@each_service
def test_answers_names_every_route_and_nothing_else(service: str):
    app = unconnected_app(service)
    routes = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}

    assert set(ROUTE.findall(section(service, "Answers"))) == routes | internal_routes(app)


@each_service
def test_listens_to_names_every_event_that_is_handled_and_its_topic(service: str):
    said = section(service, "Listens to")

    assert set(WIRE_TYPE.findall(said)) == listened_to(service)
    assert set(TOPIC.findall(said)) == topics(service, side="consumers")
    assert {EVENT_TYPES[wire_type].TOPIC.name for wire_type in listened_to(service)} == topics(service, side="consumers")


@each_service
def test_publishes_names_every_event_that_is_made_and_its_topic(service: str):
    said, known = section(service, "Publishes"), published(service)
    code = "\n".join(path.read_text() for path in (folder_of(service) / "src").rglob("*.py"))

    assert set(WIRE_TYPE.findall(said)) == set(known)
    assert set(TOPIC.findall(said)) == topics(service, side="producers")
    assert [name for name in known.values() if not re.search(rf"\b{name}\b", code)] == []


@each_service
def test_processes_names_every_command_of_the_program(service: str):
    program = import_name(service)
    shown = subprocess.run([sys.executable, "-m", program, "--help"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\{([a-z,-]+)\}", shown.replace("\n", ""))
    assert found, f"python -m {program} has no commands"
    said = re.findall(rf"`python -m {program} ([^`]+)`", section(service, "Processes"))

    assert {command.strip().split()[0] for commands in said for command in commands.split("|")} == set(found.group(1).split(","))


@each_service
def test_settings_names_what_has_no_default_what_is_its_own_and_nothing_unknown(service: str):
    kind: type[ServiceSettings] = importlib.import_module(f"{import_name(service)}.settings").Settings
    prefix = str(kind.model_config["env_prefix"])
    own = set(kind.model_fields) - set(ServiceSettings.model_fields)
    needed = {name for name, field in kind.model_fields.items() if field.is_required()}
    said = set(re.findall(rf"`{prefix}([A-Z0-9_]+)`", section(service, "Settings")))

    assert said <= {name.upper() for name in kind.model_fields}
    assert {name.upper() for name in own | needed} <= said


def test_a_route_or_a_table_that_is_not_there_would_be_noticed():
    assert ROUTE.findall("- `GET /api/a/{a_id}` own ones; `status`") == [("GET", "/api/a/{a_id}")]
    assert WIRE_TYPE.findall("on `bloom.invoices.v1`: `invoice.opened.v1`, `therapist.profile-changed.v1`") == [
        "invoice.opened.v1",
        "therapist.profile-changed.v1",
    ]
