"""Files of the lake: names that say what is in them, orphans that are told from what is just being written, and Parquet."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.clients.lake_parquet import encoded, merged, schema_of
from analytics.domain.lake.columns import Treatment
from analytics.domain.lake.fields import LAKE_TYPES, decisions_of
from analytics.domain.lake.files import Day, Standing, Stretch, compacted, manifest_path, part
from analytics.domain.lake.rows import Pseudonyms, Rows, column_names
from bloom_events.envelope import Envelope
from bloom_events.event import Event
from bloom_events.registry import unwrap

EXAMPLES = Path(__file__).parents[4] / "libs/events/examples"
DAY = Day("appointment.booked.v1", date(2026, 11, 3))
TOPIC = "bloom.appointments.v1"
STRETCH = Stretch(TOPIC, 2, 100, 250)
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def examples_of(wire_type: str) -> list[tuple[Envelope[Event], dict[str, Any]]]:
    """The examples of a type, as they are read from Kafka and as they are written there."""
    found = [json.loads(path.read_text()) for path in sorted((EXAMPLES / wire_type).glob("*.json"))]
    return [(unwrap([(k, v.encode()) for k, v in e["headers"].items()], json.dumps(e["value"]).encode()), e) for e in found]


each_type = pytest.mark.parametrize("wire_type", list(LAKE_TYPES))


@each_type
def test_nothing_that_leads_out_of_the_lake_is_in_a_row(wire_type: str) -> None:
    for envelope, record in examples_of(wire_type):
        row = Rows(Pseudonyms(KEY)).of(envelope, 0, 0)
        written = repr(row)
        assert str(envelope.correlation_id) not in written
        for name, decision in decisions_of(type(envelope.data)).items():
            if decision.treatment is not Treatment.KEPT:
                assert all(str(value) not in written for value in leaves(record["value"].get(name))), name


def leaves(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    # Small numbers, such as the version of a key, are found by chance.
    return [] if value is None or isinstance(value, int) else [value]


@each_type
def test_a_row_says_what_the_event_says_and_its_file_has_the_types_of_the_table(wire_type: str) -> None:
    rows = Rows(Pseudonyms(KEY))
    written = [rows.of(envelope, 3, place) for place, (envelope, _) in enumerate(examples_of(wire_type))]

    table = pq.read_table(io.BytesIO(encoded(wire_type, written)))

    assert table.schema.equals(pa.schema(schema_of(wire_type)))
    for place, (envelope, record) in enumerate(examples_of(wire_type)):
        found: Mapping[str, Any] = table.slice(place, 1).to_pylist()[0]
        assert found["event_id"] == str(envelope.id)
        assert found["tenant"] == str(envelope.tenant_id)
        assert found["time"] == envelope.time
        assert found["subject"] == found[envelope.data.KEY]
        kept = {n for n, d in decisions_of(type(envelope.data)).items() if d.treatment is Treatment.KEPT and not d.parts}
        assert {name: plain(found[name]) for name in kept & set(record["value"])} == {
            name: plain(getattr(envelope.data, name)) for name in kept & set(record["value"])
        }


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def test_an_id_has_one_pseudonym_within_its_tenant_and_another_in_each_other_and_under_another_key() -> None:
    tenant, person = uuid4(), uuid4()
    pseudonyms = Pseudonyms(KEY)

    assert pseudonyms.of(tenant, person) == Pseudonyms(KEY).of(tenant, person)
    found = {
        pseudonyms.of(tenant, person), pseudonyms.of(uuid4(), person), pseudonyms.of(tenant, uuid4()),
        Pseudonyms(OTHER_KEY).of(tenant, person),
    }  # fmt: skip
    assert len(found) == 4
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in found)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"short")


def test_a_name_says_where_the_records_lie_and_belongs_to_one_content_alone() -> None:
    file = part(DAY, STRETCH, 5, b"content")

    assert file.path.startswith(
        "type=appointment.booked.v1/date=2026-11-03/bloom.appointments.v1.2.000000000000100-000000000000250."
    )
    assert file.path == part(DAY, STRETCH, 5, b"content").path
    assert file.path != part(DAY, STRETCH, 5, b"other content").path
    assert compacted(DAY, 3, 5, b"content").path.startswith("type=appointment.booked.v1/date=2026-11-03/compacted.000003.")
    assert manifest_path(date(2026, 11, 3), 12) == "manifests/date=2026-11-03/0000000012.json"


def standing(*paths: str, position: int = 0, generation: int = 0, aside: tuple[int, ...] = ()) -> Standing:
    return Standing(
        frozenset(paths), {(TOPIC, 2): position}, {DAY: generation}, frozenset((TOPIC, 2, offset) for offset in aside)
    )


def test_a_file_that_is_listed_is_no_orphan() -> None:
    listed = part(DAY, STRETCH, 5, b"content").path

    assert not standing(listed, position=250).is_orphan(listed)


@pytest.mark.parametrize(("position", "is_orphan"), [(0, False), (100, False), (101, True), (250, True)])
def test_a_file_from_the_log_is_an_orphan_once_its_first_record_is_in_another_file(position: int, is_orphan: bool) -> None:
    assert standing(position=position).is_orphan(part(DAY, STRETCH, 5, b"content").path) is is_orphan


def test_a_record_that_is_being_taken_back_is_in_no_orphan() -> None:
    path = part(DAY, Stretch(TOPIC, 2, 100, 101), 1, b"content").path

    assert not standing(position=250, aside=(100,)).is_orphan(path)
    assert standing(position=250, aside=(99,)).is_orphan(path)


@pytest.mark.parametrize(("generation", "is_orphan"), [(0, False), (2, False), (3, True), (4, True)])
def test_a_compacted_file_is_an_orphan_once_that_compaction_was_done(generation: int, is_orphan: bool) -> None:
    assert standing(generation=generation).is_orphan(compacted(DAY, 3, 5, b"content").path) is is_orphan


@pytest.mark.parametrize("path", ["type=x/date=2026-11-03/notes.txt", "type=appointment.booked.v1/README", "manifests/x.json"])
def test_what_is_not_the_lakes_is_left_alone(path: str) -> None:
    assert not standing(position=10**6, generation=9).is_orphan(path)


def row(offset: int, event_id: UUID, *, partition: int = 0) -> tuple[Any, ...]:
    ((envelope, _), *_) = examples_of("user.suspended.v1")
    found = Rows(Pseudonyms(KEY)).of(envelope, partition, offset)
    return (str(event_id), *found[1:])


def test_the_same_rows_make_the_same_bytes() -> None:
    rows = [row(place, uuid4()) for place in range(3)]

    assert encoded("user.suspended.v1", rows) == encoded("user.suspended.v1", rows)


def test_merged_files_hold_each_event_once_as_it_lies_first_in_the_log() -> None:
    once, twice = uuid4(), uuid4()
    early = encoded("user.suspended.v1", [row(0, twice), row(1, once)])
    late = encoded("user.suspended.v1", [row(2, twice), row(0, uuid4(), partition=1)])

    content, count = merged("user.suspended.v1", [late, early])

    found = pq.read_table(io.BytesIO(content)).to_pylist()
    assert count == 3
    assert [(each["log_partition"], each["log_offset"]) for each in found] == [(0, 0), (0, 1), (1, 0)]
    assert found[0]["event_id"] == str(twice)


def test_files_from_before_a_field_was_added_have_nulls_in_its_column() -> None:
    old = pq.read_table(io.BytesIO(encoded("user.suspended.v1", [row(0, uuid4())]))).drop_columns(["role"])
    target = io.BytesIO()
    pq.write_table(old, target)

    content, _ = merged("user.suspended.v1", [target.getvalue(), encoded("user.suspended.v1", [row(1, uuid4())])])

    assert [each["role"] for each in pq.read_table(io.BytesIO(content)).to_pylist()] == [None, "PATIENT"]


def test_files_are_compressed_with_zstd_and_times_are_microseconds_in_utc() -> None:
    content = encoded("user.suspended.v1", [row(0, uuid4())])

    metadata = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    assert {metadata.column(place).compression for place in range(metadata.num_columns)} == {"ZSTD"}
    assert pa.schema(schema_of("user.suspended.v1")).field("time").type == pa.timestamp("us", tz="UTC")
    assert column_names(LAKE_TYPES["user.suspended.v1"]) == schema_of("user.suspended.v1").names
    assert pq.read_table(io.BytesIO(content)).to_pylist()[0]["time"] == datetime(2026, 11, 3, 9, tzinfo=UTC)
