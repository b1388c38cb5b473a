"""Turns events into rows: fields side by side, ids as pseudonyms that nobody can lead back without the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any
from uuid import UUID

from analytics.domain.lake.columns import Column, Kind, Treatment
from analytics.domain.lake.fields import COMMON, columns_of
from bloom_events.envelope import Envelope
from bloom_events.event import Event

KEY_BYTES = 32
_PSEUDONYM_BYTES = 16
_PURPOSE = b"bloom-lake"

Row = tuple[Any, ...]
"""The values of the common columns and then of the type's own; None where an event says nothing."""


class Pseudonyms:
    """Keyed hashes of ids, 32 hexadecimal digits. Each tenant has a key of its own: nobody is recognised across tenants."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of the lake has {KEY_BYTES} bytes")
        self._key = key
        self._key_of = lru_cache(maxsize=10_000)(self._derived)

    def of(self, tenant_id: UUID, identifier: UUID) -> str:
        """The pseudonym of an id within its tenant."""
        return blake2b(identifier.bytes, key=self._key_of(tenant_id), digest_size=_PSEUDONYM_BYTES).hexdigest()

    def _derived(self, tenant_id: UUID) -> bytes:
        return blake2b(tenant_id.bytes, key=self._key, digest_size=KEY_BYTES, person=_PURPOSE).digest()


class Rows:
    """Makes the row of an event, by the columns of its type."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._readers: dict[type[Event], list[Callable[[Event, UUID], Any]]] = {}

    def of(self, envelope: Envelope[Event], partition: int, offset: int) -> Row:
        """The row of an event that lies at this place of its topic."""
        event, tenant = envelope.data, envelope.tenant_id
        readers = self._readers.get(type(event)) or self._readers_of(type(event))
        subject = self._pseudonyms.of(tenant, event.aggregate_id)
        common = (str(envelope.id), str(tenant), envelope.time, subject, partition, offset)
        return (*common, *(read(event, tenant) for read in readers))

    def _readers_of(self, kind: type[Event]) -> list[Callable[[Event, UUID], Any]]:
        self._readers[kind] = [self._reader(column) for column in columns_of(kind)]
        return self._readers[kind]

    def _reader(self, column: Column) -> Callable[[Event, UUID], Any]:
        value_of = attrgetter(".".join(column.path))
        if column.treatment is Treatment.KEPT:
            return lambda event, _: value_of(event)
        if column.kind is Kind.TEXTS:
            return lambda event, tenant: self._all_of(value_of(event), tenant)
        return lambda event, tenant: self._one_of(value_of(event), tenant)

    def _one_of(self, identifier: UUID | None, tenant: UUID) -> str | None:
        return None if identifier is None else self._pseudonyms.of(tenant, identifier)

    def _all_of(self, identifiers: Iterable[UUID], tenant: UUID) -> list[str]:
        return [self._pseudonyms.of(tenant, each) for each in identifiers]


def column_names(kind: type[Event]) -> list[str]:
    """The names of a row's values, in their order."""
    return [*COMMON, *(column.name for column in columns_of(kind))]
