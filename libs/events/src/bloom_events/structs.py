"""Structs made from event classes: the same fields under the same rules, read from JSON in a tenth of the time."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, NewType, TypeAlias, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from bloom_events.event import Event, UtcTime

Reader: TypeAlias = Callable[[bytes], Any]
"""Reads a body; raises msgspec.MsgspecError for what is not as the class has it."""

_RULES = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt", MinLen: "min_length", MaxLen: "max_length"}
_AS_THEY_ARE = frozenset({UUID, int, float, str, bool, date, type(None)})


@cache
def reader_of(event_class: type[Event]) -> Reader:
    """How bodies of this class are read; raises TypeError if a field is of a kind that no struct is known for."""
    return msgspec.json.Decoder(_struct_of(event_class)).decode


def _struct_of(model: type[BaseModel]) -> type[msgspec.Struct]:
    """A struct with the fields of a model. Fields that it does not know are an error: the class itself decides about them."""
    decorators = model.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators or decorators.validators or decorators.root_validators:
        raise TypeError(f"{model.__name__} has validators of its own, which a struct would not run")
    hints = get_type_hints(model, include_extras=True)
    fields: list[Any] = []
    for name, field in model.model_fields.items():
        kind = _kind_of(hints[name])
        fields.append((name, kind) if field.is_required() else (name, kind, field.get_default()))
    return msgspec.defstruct(model.__name__, fields, kw_only=True, frozen=True, gc=False, forbid_unknown_fields=True)


def _kind_of(hint: Any) -> Any:  # Any: annotations are whatever is written there
    """What stands for an annotation in a struct."""
    if hint == UtcTime:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    if hint in _AS_THEY_ARE or get_origin(hint) is Literal:
        return hint
    if isinstance(hint, NewType):
        return _kind_of(hint.__supertype__)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Literal[tuple(member.value for member in hint)]
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _struct_of(hint)
    return _compound(get_origin(hint), get_args(hint))


def _compound(origin: Any, parts: tuple[Any, ...]) -> Any:
    """What stands for an annotation that is made of others."""
    if origin is Annotated:
        return Annotated[_kind_of(parts[0]), msgspec.Meta(**_rules_of(parts[1:]))]
    if origin in (Union, types.UnionType):
        return reduce(or_, (_kind_of(part) for part in parts))
    if origin is Mapping:
        return dict[_kind_of(parts[0]), _kind_of(parts[1])]  # type: ignore[misc]  # only known when this runs
    if origin is tuple and parts[1:] == (Ellipsis,):
        return tuple[_kind_of(parts[0]), ...]  # type: ignore[misc]  # as above
    raise TypeError(f"no struct is known for {origin} of {parts}")


def _rules_of(rules: tuple[Any, ...]) -> dict[str, Any]:
    """What annotations demand of a value, in the words of msgspec; raises TypeError for a demand that it does not know."""
    found: dict[str, Any] = {}
    for rule in rules:
        if isinstance(rule, StringConstraints):
            if rule.strip_whitespace or rule.to_upper or rule.to_lower or rule.ascii_only:
                raise TypeError("a struct changes no text")
            found |= {"min_length": rule.min_length, "max_length": rule.max_length, "pattern": _pattern(rule.pattern)}
            continue
        for each in rule.metadata if isinstance(rule, FieldInfo) else (rule,):
            name = _RULES.get(type(each))
            if name is None:
                raise TypeError(f"no rule is known for {each}")
            found[name] = getattr(each, name)
    return found


def _pattern(pattern: Any) -> str | None:
    """The same pattern for `re`, to which a dollar also means the place before a last newline."""
    return f"{pattern[:-1]}\\Z" if isinstance(pattern, str) and pattern.endswith("$") else pattern
