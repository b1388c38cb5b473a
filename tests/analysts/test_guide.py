"""What the guide for analysts says is so: its snippets run or at least parse, and its names are those of the code."""

import ast
import re
import subprocess
import sys
from typing import ClassVar
from uuid import UUID

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.dialects import Spark
from sqlglot.tokens import TokenType
from tests.analysts.guide import GUIDE, SNIPPETS
from tests.analysts.planted_results import HOURS, MONDAY

from analytics.domain.metrics import METRICS
from analytics.domain.spans import SPANS
from bloom_events.analytics import EVENTS, Percentiles, WindowResult
from local_stack.ports import DEFAULT_PORTS, HOST
from tools.steps import ROOT

FIELDS = set(WindowResult.model_fields)


class Flink(Spark):
    """As much of Flink's SQL as the guide uses, which sqlglot has no dialect of: rows, and columns out of the record's frame."""

    class Tokenizer(Spark.Tokenizer):
        KEYWORDS: ClassVar = {**Spark.Tokenizer.KEYWORDS, "ROW": TokenType.STRUCT, "BYTES": TokenType.VARBINARY}

    class Parser(Spark.Parser):
        CONSTRAINT_PARSERS: ClassVar = {**Spark.Parser.CONSTRAINT_PARSERS, "METADATA": lambda _: exp.CommentColumnConstraint()}


def flink() -> list[exp.Expression]:
    return sqlglot.parse(SNIPPETS["flink"], dialect=Flink)


def columns(table: exp.Expression) -> dict[str, str]:
    """The names and types of the columns that a statement defines."""
    return {column.name: str(column.kind) for column in table.find_all(exp.ColumnDef) if not column.find_ancestor(exp.DataType)}


def fields_of_percentiles(table: exp.Expression) -> set[str]:
    return {column.name for column in table.find_all(exp.ColumnDef) if column.find_ancestor(exp.DataType)}


def test_every_snippet_has_a_name_and_with_it_a_test_here():
    assert set(SNIPPETS) == {"kcat", "python reader", "python join", "spark", "flink"}


def test_the_reader_in_the_guide_is_the_module_of_the_notebooks():
    assert SNIPPETS["python reader"] == (ROOT / "notebooks/results.py").read_text()


def test_the_python_of_the_guide_tells_the_newest_revisions(kafka_topics: str, practice_tenant: UUID):
    chosen = f"import results\nresults.busiest_tenant = lambda _: '{practice_tenant}'\n"
    told = subprocess.run(
        [sys.executable, "-c", chosen + SNIPPETS["python join"]],
        cwd=ROOT / "notebooks",
        env={"BLOOM_KAFKA": kafka_topics},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert told.splitlines() == [f"{MONDAY.replace(hour=hour)} 3 {int(hour == HOURS[0])}" for hour in HOURS]


def test_the_python_of_spark_is_python_and_uses_names_that_it_brings():
    tree = ast.parse(SNIPPETS["spark"])
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imported = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}

    assert loaded <= stored | imported


def test_spark_reads_every_field_of_a_result():
    schema = next(
        ast.literal_eval(node.value)
        for node in ast.parse(SNIPPETS["spark"]).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RESULT"
    )
    table = sqlglot.parse_one(f"CREATE TABLE results ({schema})", dialect="spark")

    assert set(columns(table)) == FIELDS
    assert fields_of_percentiles(table) == set(Percentiles.model_fields)


def test_flink_reads_every_field_of_a_result_and_the_headers():
    table, view, question = flink()

    assert set(columns(table)) == FIELDS | {"headers"}
    assert fields_of_percentiles(table) == set(Percentiles.model_fields)
    assert (table.find(exp.Table).name, view.find(exp.Table).name) == ("results", "newest")
    assert {found.name for found in question.find_all(exp.Table)} == {"newest"}


def test_what_flink_asks_for_are_fields_of_a_result():
    _, view, question = flink()
    asked = {column.name for statement in (view, question) for column in statement.find_all(exp.Column)} - {"*"}

    assert asked <= FIELDS | {"headers", "place", "tenant_id"}
    assert {"revision", "window_start"} <= asked


def test_what_jq_picks_out_of_a_record_are_fields_of_a_result():
    picked = set(re.findall(r"\.([a-z][a-z_]+)", SNIPPETS["kcat"].partition("jq")[2]))

    assert picked
    assert picked <= FIELDS


def test_what_the_prose_calls_a_field_a_metric_or_a_span_is_one():
    said = set(re.findall(r"`([a-z_]+)`", re.sub(r"^```.*?^```$", "", GUIDE, flags=re.DOTALL | re.MULTILINE)))
    metrics = set(re.findall(r"[`'\"]((?:appointments|messages|risk|alerts|revenue|people)\.[a-z-]+)[`'\"]", GUIDE))
    dimensions = {name for metric in METRICS.values() for grouping in metric.groupings for name in grouping}

    assert said <= FIELDS | dimensions | set(SPANS) | {"ce_tenantid"}
    assert {"revision", "is_final", "is_suppressed", "watermark", "therapist_id"} <= said
    assert metrics
    assert metrics <= set(METRICS)
    assert all(f"`{span}`" in GUIDE for span in SPANS)


def test_the_guide_names_every_result_topic_and_the_local_kafka():
    topics = {event.TOPIC.name for event in EVENTS}

    assert set(re.findall(r"bloom\.analytics\.[a-z]+\.v\d", GUIDE)) == topics
    assert set(re.findall(r"^\| `(bloom\.analytics\.[a-z]+\.v\d)` ", GUIDE, re.MULTILINE)) == topics
    assert set(re.findall(r"\d+\.0\.0\.1:\d+", GUIDE)) == {f"{HOST}:{DEFAULT_PORTS['kafka']}"}


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.TYPE)
def test_every_kind_of_result_has_the_fields_that_the_guide_explains(kind: type[WindowResult]):
    assert set(kind.model_fields) == FIELDS
