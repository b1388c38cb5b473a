"""Everything that a database holds: a digest to compare two moments, and what changed between two of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

_TABLES = """
    select c.relname from pg_class c
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and c.relname <> 'schema_migrations'
    order by 1
"""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*(Z|\+00:00)")
# Made by chance, by a clock or by counting over all tenants: different each time that the same command runs.
_SEALED = re.compile(r'(?<="nonce":")[^"]*|(?<="ciphertext":")[^"]*')
_OF_CHANCE = frozenset(
    {"posted_in", "password_hash", "timestamp_ms", "seed", "request_hash", "address_mark", "kid", "public_key", "nonce",
     "ciphertext", "name_nonce", "name_ciphertext", "wrapped_key", "sent_digest", "changed_in"}
)  # fmt: skip
_COUNTED = frozenset({("outbox", "id")})

Rows = Counter[tuple[str, str]]
"""Rows by table and text, with how often each is there."""

Row = tuple[tuple[str, Any], ...]
Content = dict[str, list[Row]]
"""The rows of each table, column by column."""


class WholeDatabase:
    """Looks into one database as the superuser, whom row security does not bind."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record], tables: Collection[str]) -> None:
        self.connection = connection
        self.tables = tuple(tables)

    @classmethod
    async def of(cls, connection: asyncpg.Connection[asyncpg.Record]) -> WholeDatabase:
        """All tables but the list of migrations."""
        return cls(connection, [row[0] for row in await connection.fetch(_TABLES)])

    async def digest(self, *, without: Collection[str] = ()) -> str:
        """Equal for equal contents."""
        parts = [
            f"(select '{name}' || coalesce(md5(string_agg(r::text, '|' order by r::text)), '') from {name} r)"
            for name in self.tables
            if name not in without
        ]
        return str(await self.connection.fetchval(f"select concat_ws(' ', {', '.join(parts)})"))

    async def rows(self, *, without: Collection[str] = ()) -> Content:
        """Every row of every table."""
        found: Content = {}
        for name in self.tables:
            if name not in without:
                found[name] = [_plain(row) for row in await self.connection.fetch(f"select * from {name}")]
        return found


def change(before: Content, after: Content) -> tuple[Rows, Rows]:
    """The rows that went and the rows that came, with whatever is of chance in them blotted out."""
    went, came = Rows(), Rows()
    for table in after:
        old, new = Counter(before[table]), Counter(after[table])
        went.update((table, _blotted(table, row)) for row in (old - new).elements())
        came.update((table, _blotted(table, row)) for row in (new - old).elements())
    return went, came


def _plain(row: asyncpg.Record) -> Row:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in row.items())


def _blotted(table: str, row: Row) -> str:
    return " ".join(f"{name}={_seen(table, name, value)}" for name, value in row)


def _seen(table: str, name: str, value: Any) -> str:
    if value is None:
        return "null"
    if name in _OF_CHANCE or (table, name) in _COUNTED or isinstance(value, UUID | datetime):
        return "*"
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return f"{len(value)} bytes"
    text = str(value)
    for pattern in (_UUID, _MOMENT, _TRACE, _SEALED):
        text = pattern.sub("*", text)
    return text
