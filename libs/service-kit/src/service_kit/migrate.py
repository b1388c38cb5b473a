"""Migrations: numbered plain SQL, forward only, run by one process at a time, and never changed once they have run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from service_kit.database import Connection
from service_kit.logs import get_logger

_LOCK = 0x626C6F6F6D  # "bloom": one number for all migrations of one database
_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_TABLE = """create table if not exists schema_migrations (
    number int primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now())"""

_log = get_logger(__name__)


class MigrationsDoNotFit(Exception):  # noqa: N818  # named for what is found, as problems are
    """The folder and the database tell different stories: a file was changed, is missing, or its number is out of turn."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the folder."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The fingerprint by which a later change of the file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(owner_url: SecretStr, folder: Path, *, statement_timeout_seconds: float = 60.0) -> list[str]:
    """Runs what has not run yet, each file in its own transaction, under a lock; gives the names of the files that ran.

    Raises MigrationsDoNotFit, before it changes anything, when a file that ran was changed or is gone.
    """
    migrations = read_migrations(folder)
    connection: Connection = await asyncpg.connect(owner_url.get_secret_value(), timeout=10)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        await connection.execute("select set_config('statement_timeout', $1, false)", f"{int(statement_timeout_seconds * 1000)}")
        waiting = _waiting(
            migrations, await connection.fetch("select number, name, sha256 from schema_migrations order by number")
        )
        for migration in waiting:
            await _apply(connection, migration)
    finally:
        await connection.close()
    return [migration.name for migration in waiting]


def read_migrations(folder: Path) -> list[Migration]:
    """The folder's files in order; raises MigrationsDoNotFit unless they are numbered 0001, 0002 and so on without a gap."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        found = _FILE.fullmatch(path.name)
        if found is None:
            raise MigrationsDoNotFit(f"{path.name} is not named like 0001_what_it_does.sql")
        migrations.append(Migration(int(found[1]), path.name, path.read_text(encoding="utf-8")))
    numbers = [migration.number for migration in migrations]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise MigrationsDoNotFit(f"the files in {folder.name} must be numbered from 0001 without gaps, not {numbers}")
    return migrations


def _waiting(migrations: Sequence[Migration], applied: Sequence[asyncpg.Record]) -> list[Migration]:
    if len(applied) > len(migrations):
        raise MigrationsDoNotFit(f"the database has run {applied[-1]['name']}, which is not in the folder")
    for migration, row in zip(migrations, applied, strict=False):
        if row["name"] != migration.name or row["sha256"] != migration.sha256:
            raise MigrationsDoNotFit(
                f"{row['name']} ran in another version than the folder has; add a new file instead of changing it"
            )
    return list(migrations[len(applied) :])


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        record = "insert into schema_migrations (number, name, sha256) values ($1, $2, $3)"
        await connection.execute(record, migration.number, migration.name, migration.sha256)
    _log.info("migration.applied", migration=migration.name)
