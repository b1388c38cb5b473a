"""The table of the lake decides about every field of every event, and nothing that leads to a person is kept."""

import types
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel

from analytics.domain.lake.columns import Decision, Kind, Treatment
from analytics.domain.lake.fields import COMMON, FIELDS, LAKE_TOPICS, LAKE_TYPES, columns_of, decisions_of
from bloom_events.auth import UserRegistered
from bloom_events.event import Event
from bloom_events.registry import EVENT_TYPES
from bloom_events.topics import DataClass

PLAIN: Mapping[Any, Kind] = {
    str: Kind.TEXT, bool: Kind.FLAG, int: Kind.INTEGER, float: Kind.NUMBER, datetime: Kind.TIME,
    AwareDatetime: Kind.TIME, date: Kind.DAY, UUID: Kind.TEXT,
}  # fmt: skip

each_type = pytest.mark.parametrize("kind", LAKE_TYPES.values(), ids=list(LAKE_TYPES))


def undecided(kind: type[BaseModel], decisions: Mapping[str, Decision]) -> set[str]:
    """Fields of an event, or of an object in it, about which the table says nothing."""
    missing = set(kind.model_fields) - set(decisions)
    for name, decision in decisions.items():
        if decision.parts:
            missing |= undecided(bare(kind.model_fields[name].annotation), decision.parts)
    return missing


def bare(annotation: Any) -> Any:
    """The type without what pydantic checks beside it, and without None."""
    while get_origin(annotation) is Annotated or hasattr(annotation, "__supertype__"):
        annotation = annotation.__supertype__ if hasattr(annotation, "__supertype__") else get_args(annotation)[0]
    if get_origin(annotation) in {Union, types.UnionType}:
        (annotation,) = (each for each in get_args(annotation) if each is not type(None))
        return bare(annotation)
    return annotation


def kind_of(annotation: Any) -> Kind:
    plain = bare(annotation)
    if get_origin(plain) is tuple:
        return Kind.TEXTS
    if get_origin(plain) is Literal or (isinstance(plain, type) and issubclass(plain, Enum)):
        return Kind.TEXT
    return PLAIN[plain]


def is_id(annotation: Any) -> bool:
    plain = bare(annotation)
    return plain is UUID or (get_origin(plain) is tuple and bare(get_args(plain)[0]) is UUID)


@each_type
def test_every_field_of_the_event_is_decided_about(kind: type[Event]) -> None:
    assert undecided(kind, decisions_of(kind)) == set()


def test_a_field_that_somebody_adds_is_noticed() -> None:
    class UserRegisteredToday(UserRegistered):
        nickname: str

    assert undecided(UserRegisteredToday, decisions_of(UserRegisteredToday)) == {"nickname"}


def test_every_event_is_in_the_lake_or_a_result_that_can_be_computed_from_it() -> None:
    left_out = {name for name, kind in EVENT_TYPES.items() if name not in LAKE_TYPES}

    assert left_out
    assert all(EVENT_TYPES[name].TOPIC.producers == ("analytics",) for name in left_out)
    assert {kind.TOPIC for kind in LAKE_TYPES.values()} == set(LAKE_TOPICS)


def test_the_table_decides_about_nothing_that_is_not_there() -> None:
    for declaring, decisions in FIELDS.items():
        assert set(decisions) <= set(declaring.__annotations__), declaring.__name__
    assert set(FIELDS) <= {each for kind in LAKE_TYPES.values() for each in kind.__mro__}


@each_type
def test_each_column_has_the_type_of_its_field(kind: type[Event]) -> None:
    for name, decision in decisions_of(kind).items():
        if decision.kind is not None:
            assert decision.kind is kind_of(kind.model_fields[name].annotation), name
    # The parts of the one nested object are numbers.
    assert all(part.kind is Kind.NUMBER for decision in decisions_of(kind).values() for part in decision.parts.values())


@each_type
def test_no_id_is_kept_and_nothing_else_is_pseudonymised(kind: type[Event]) -> None:
    for name, decision in decisions_of(kind).items():
        pseudonymised = decision.treatment is Treatment.PSEUDONYMISED
        assert pseudonymised == is_id(kind.model_fields[name].annotation), name


@each_type
def test_names_of_people_and_sealed_texts_are_left_out(kind: type[Event]) -> None:
    columns = {column.name for column in columns_of(kind)}

    assert not columns & {"display_name", "number", "credit_note_number", "nonce", "ciphertext", "key_version", "correlation_id"}


@each_type
def test_columns_have_names_of_their_own(kind: type[Event]) -> None:
    names = [*COMMON, "type", "date", *(column.name for column in columns_of(kind))]

    assert len(names) == len(set(names))


def test_all_that_is_dropped_says_why() -> None:
    decided = [decision for decisions in FIELDS.values() for decision in decisions.values()]

    assert all(bool(decision.why) == (decision.treatment is Treatment.DROPPED) for decision in decided)


def test_subjects_are_pseudonyms_on_every_topic_because_each_is_about_people() -> None:
    pseudonymous = {DataClass.PSEUDONYMOUS, DataClass.PHI}

    assert all(topic.data_class in pseudonymous for topic in LAKE_TOPICS)
