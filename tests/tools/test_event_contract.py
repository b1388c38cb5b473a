"""The generated side of the event contract: schemas that only grow, examples that are true, documents that are valid."""

import copy
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import TOPICS, all_topics
from tools.event_docs import __main__ as command
from tools.event_docs import asyncapi
from tools.event_docs.compatibility import SCHEMAS, incompatibilities
from tools.event_docs.examples import EXAMPLES, example_faults, read_examples
from tools.event_docs.generated import ASYNCAPI, PAGE, event_schemas
from tools.steps import ROOT

OPENED = "invoice.opened.v1"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small repository that holds the contract's files, committed."""
    for folder in (SCHEMAS, EXAMPLES):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "docs").mkdir()
    for page in (PAGE, ASYNCAPI):
        shutil.copy(ROOT / page, tmp_path / page)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Robin", "-c", "user.email=robin@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "The contract")


def change(path: Path, edit: Edit) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def schema_file(root: Path) -> Path:
    return root / SCHEMAS / f"{OPENED}.json"


def some_example(root: Path) -> Path:
    return next((root / EXAMPLES / OPENED).glob("*.json"))


def require_nickname(schema: dict[str, Any]) -> None:
    schema["properties"]["nickname"] = {"type": "string"}
    schema["required"].append("nickname")


def test_what_is_committed_is_what_the_classes_say():
    assert command.check(ROOT) == []


def test_writing_changes_nothing_where_nothing_changed(checkout):
    before = {path: path.read_text() for path in checkout.rglob("*.*") if path.is_file() and ".git" not in path.parts}
    assert command.main(["write"], checkout) == 0
    assert {path: path.read_text() for path in before} == before
    assert command.main(["check"], checkout) == 0


# Each edit makes the committed schema differ from the class, so that the class is the one that breaks it.
BREAKING: dict[str, tuple[Edit, str]] = {
    "drops a field": (lambda s: s["properties"].update(nickname={"type": "string"}), "nickname was dropped"),
    "drops a required field": (require_nickname, "nickname was dropped"),
    "tightens a text": (lambda s: s["properties"]["number"].update(maxLength=500), "number changed"),
    "tightens a number": (lambda s: s["properties"]["net_minor"].update(minimum=-1), "net_minor changed"),
    "changes a type": (lambda s: s["properties"].update(due_on={"type": "integer"}), "due_on changed"),
    "takes a format away": (lambda s: s["properties"]["due_on"].update(format="date-time"), "due_on changed"),
    "requires what was optional": (lambda s: s["required"].remove("number"), "number became required"),
    "adds a required field": (
        lambda s: (s["required"].remove("number"), s["properties"].pop("number")),
        "number is new and required",
    ),
    "moves to another topic": (lambda s: s.update({"x-topic": "bloom.bills.v1"}), "itself changed"),
    "takes another key": (lambda s: s.update({"x-key": "patient_id"}), "itself changed"),
    "forbids unknown fields no more": (lambda s: s.update(additionalProperties=False), "itself changed"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_class_that_breaks_its_schema_within_a_version_is_refused_and_nothing_is_written(name, checkout, capsys):
    edit, sentence = BREAKING[name]
    change(schema_file(checkout), edit)
    commit(checkout)
    before = schema_file(checkout).read_text()
    assert command.main(["write"], checkout) == 1
    assert sentence in capsys.readouterr().out
    assert schema_file(checkout).read_text() == before
    assert command.main(["check"], checkout) == 1


def test_deleting_the_schema_first_does_not_get_a_broken_class_through(checkout, capsys):
    change(schema_file(checkout), BREAKING["drops a field"][0])
    commit(checkout)
    schema_file(checkout).unlink()
    assert command.main(["write"], checkout) == 1
    assert "nickname was dropped" in capsys.readouterr().out


def test_a_schema_edited_by_hand_is_noticed(checkout, capsys):
    change(schema_file(checkout), lambda s: s.update(description="Something else."))
    assert command.main(["check"], checkout) == 1
    assert "run make events" in capsys.readouterr().out


def test_a_type_that_nobody_reads_yet_can_be_replaced_by_name(checkout):
    change(schema_file(checkout), BREAKING["drops a field"][0])
    assert command.main(["write", "--replace", "invoice.paid.v1"], checkout) == 1
    assert command.main(["write", "--replace", OPENED], checkout) == 0
    assert "nickname" not in schema_file(checkout).read_text()


def test_an_event_class_may_not_vanish_while_records_of_it_are_kept(checkout, capsys):
    (checkout / SCHEMAS / "visit.imagined.v1.json").write_text('{"properties": {}}')
    assert command.main(["write"], checkout) == 1
    assert "visit.imagined.v1 is gone" in capsys.readouterr().out
    assert command.main(["write", "--replace", "visit.imagined.v1"], checkout) == 0
    assert not (checkout / SCHEMAS / "visit.imagined.v1.json").exists()


def test_it_works_where_there_is_no_git(checkout):
    shutil.rmtree(checkout / ".git")
    assert command.main(["check"], checkout) == 0


def add_optional_field(schema: dict[str, Any]) -> None:
    schema["properties"]["later"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


@pytest.mark.parametrize(
    "edit", [add_optional_field, lambda s: s.update(description="Said better."), lambda s: s.update(title="X")]
)
def test_optional_fields_and_better_words_are_welcome(edit):
    old = event_schemas()
    new = copy.deepcopy(old)
    edit(new[OPENED])
    assert list(incompatibilities(old, new)) == []


def test_a_new_event_breaks_nothing():
    new = event_schemas()
    assert list(incompatibilities({OPENED: new[OPENED]}, new)) == []


def test_parts_of_an_event_are_held_to_the_same_rule():
    line = {"type": "object", "properties": {"title": {"type": "string"}, "count": {"type": "integer"}}, "required": ["title"]}
    old = {"a.b.v1": {"properties": {"line": line, "lines": {"type": "array", "items": line}}}}
    new = copy.deepcopy(old)
    new["a.b.v1"]["properties"]["line"]["properties"].pop("count")
    new["a.b.v1"]["properties"]["lines"]["items"] = {**line, "properties": {"title": {"type": "integer"}}}
    sentences = [sentence for _, sentence in incompatibilities(old, new)]
    assert any("line.count was dropped" in sentence for sentence in sentences)
    assert any("lines changed" in sentence for sentence in sentences)


BAD_EXAMPLES: dict[str, tuple[Edit, str]] = {
    "a value that the schema refuses": (lambda e: e["value"].update(net_minor="much"), "net_minor: "),
    "a text that is no time": (lambda e: e["value"].update(issued_at="yesterday"), "issued_at"),
    "a missing field": (lambda e: e["value"].pop("number"), "number"),
    "another type": (lambda e: e["headers"].update(ce_type="invoice.paid.v1"), "ce_type"),
    "a type that is unknown": (lambda e: e["headers"].update(ce_type="visit.imagined.v1"), "cannot be read"),
    "another key": (lambda e: e.update(key=e["value"]["patient_id"]), "differently"),
    "a field that the event lacks": (lambda e: e["value"].update(nickname="x"), "differently"),
    "a header that the envelope lacks": (lambda e: e["headers"].update(ce_mood="x"), "differently"),
}


@pytest.mark.parametrize("name", BAD_EXAMPLES)
def test_an_example_that_is_not_true_is_found(name, checkout):
    edit, word = BAD_EXAMPLES[name]
    change(some_example(checkout), edit)
    assert any(word in fault for fault in example_faults(checkout))


def test_an_event_without_an_example_is_found(checkout):
    shutil.rmtree(checkout / EXAMPLES / OPENED)
    assert example_faults(checkout) == [f"{EXAMPLES / OPENED}: an example is missing"]


def test_examples_and_schemas_of_no_event_are_found(checkout, capsys):
    (checkout / EXAMPLES / "visit.imagined.v1").mkdir()
    assert command.main(["check"], checkout) == 1
    assert "belongs to no event" in capsys.readouterr().out


def test_an_example_older_than_an_optional_field_stays_true(checkout):
    path = next(
        path for path in (checkout / EXAMPLES / "invoice.voided.v1").glob("*.json") if '"number": null' in path.read_text()
    )
    change(path, lambda e: e["value"].pop("number"))
    assert example_faults(checkout) == []


def test_examples_hold_nothing_that_reaches_a_person():
    texts = "\n".join(str(example.value) for example in read_examples(ROOT))
    assert "@" not in texts
    assert re.search(r"(?<![\w-])\+?\d{9,}(?![\w-])", texts) is None


@pytest.fixture(scope="module")
def api() -> Any:  # Any: a YAML document
    return yaml.safe_load((ROOT / ASYNCAPI).read_text())


def test_the_asyncapi_document_is_valid_by_the_official_schema(api):
    assert asyncapi.faults(api) == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda a: a.update(asyncapi="2.6.0"),
        lambda a: a.pop("info"),
        lambda a: a["channels"]["users.v1"].update(partitions=6),
        lambda a: a["channels"]["users.v1"]["bindings"]["kafka"].update(partitions="six"),
        lambda a: a["operations"]["auth.send.users.v1"].update(action="shout"),
        lambda a: a["components"]["messages"]["InvoiceOpened"].update(payload=1),
    ],
)
def test_an_asyncapi_document_that_is_not_valid_is_found(edit, api):
    broken = copy.deepcopy(api)
    edit(broken)
    assert asyncapi.faults(broken)


def test_the_official_schema_is_the_one_that_its_readme_names():
    schema = asyncapi.official_schema()
    assert hashlib.sha256(schema).hexdigest() in (asyncapi.OFFICIAL_SCHEMA.parent / "README.md").read_text()


def test_the_asyncapi_document_holds_every_topic_event_and_service(api):
    assert {channel["address"] for channel in api["channels"].values()} == {topic.name for topic in TOPICS}
    assert {message["name"] for message in api["components"]["messages"].values()} == set(EVENT_TYPES)
    assert set(api["operations"]) >= {"appointments.send.appointments.v1", "billing.receive.appointments.v1"}


def test_every_reference_of_the_asyncapi_document_leads_somewhere(api):
    references = set(re.findall(r"\$ref: '?#/([^'\n]+)", (ROOT / ASYNCAPI).read_text()))
    assert references
    for reference in references:
        node = api
        for part in reference.split("/"):
            node = node[part]
        assert node


@pytest.mark.parametrize("example", read_examples(ROOT), ids=lambda example: f"{example.wire_type}-{example.path.stem}")
def test_an_example_is_true_to_the_asyncapi_documents_headers_and_payload(example, api):
    message = api["components"]["messages"][EVENT_TYPES[example.wire_type].__name__]
    payload = jsonschema_rs.validator_for(message["payload"], validate_formats=True)
    headers = jsonschema_rs.validator_for({**message["headers"], "components": api["components"]}, validate_formats=True)
    assert payload.is_valid(dict(example.value))
    assert headers.is_valid(dict(example.headers))
    assert not headers.is_valid({**example.headers, "ce_type": "visit.imagined.v1"})
    assert not headers.is_valid({**example.headers, "ce_id": "1"})


def test_the_page_of_events_names_every_topic_and_event_and_its_links_lead_somewhere():
    page = (ROOT / PAGE).read_text()
    missing = [name for name in (*EVENT_TYPES, *(topic.name for topic in all_topics())) if name not in page]
    assert missing == []
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert [link for link in links if not (ROOT / PAGE).parent.joinpath(link).is_file()] == []
