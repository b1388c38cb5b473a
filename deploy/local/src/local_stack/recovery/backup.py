"""A backup of the running platform: one sealed dump per service, and what Kafka knows beside its records."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from local_stack.postgres import PostgresServer
from local_stack.recovery.manifest import DatabaseBackup, Manifest, write_manifest
from local_stack.recovery.positions import LogAdministration
from local_stack.recovery.sealing import Seal
from local_stack.services import SERVICES
from local_stack.stack import Stack

TEXTFILE = "bloom_backup.prom"
"""What Prometheus's node exporter collects: when a backup last succeeded."""

_TABLES = """
    select c.relname from pg_class c
    where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace order by 1
"""


def back_up(stack: Stack, folder: Path, seal: Seal) -> Manifest:
    """Write a whole backup into a new folder; nothing stops meanwhile. The manifest is written last."""
    folder.mkdir(parents=True, mode=0o700)
    began_at = datetime.now(UTC)
    log = LogAdministration(stack.kafka.bootstrap)
    # Before the first dump: a state that is newer than these offsets only meets events again that its inbox knows.
    groups, topics = log.groups(), log.topics()
    ends = log.ends(topics)
    databases = {service: asyncio.run(_dump(stack.postgres, service, folder, seal)) for service in SERVICES}
    manifest = Manifest(began_at, databases, topics, ends, groups, key_marks(stack.secrets, seal))
    write_manifest(folder, manifest, seal)
    return manifest


async def rows_of(postgres: PostgresServer, service: str) -> dict[str, int]:
    """How many rows each table of a service has now."""
    connection = await asyncpg.connect(postgres.superuser_url_of(postgres.service_database(service).name))
    try:
        return await count_rows(connection)
    finally:
        await connection.close()


async def count_rows(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, int]:
    """How many rows each table has, as this connection sees it."""
    tables = [row[0] for row in await connection.fetch(_TABLES)]
    counted = [await connection.fetchval(f'select count(*) from "{table}"') for table in tables]  # noqa: S608  # names of the catalogue
    return dict(zip(tables, counted, strict=True))


def key_marks(secrets: Path, seal: Seal) -> tuple[str, ...]:
    """By what the keys are known without which a restored database could not be read; the keys themselves are in no backup."""
    keys: list[str] = []
    for file in sorted(secrets.glob("*-key*")):
        content = file.read_text()
        several: Mapping[str, str] = json.loads(content)["keys"] if file.name.endswith("-keys") else {"": content}
        keys += [f"{file.name} {name} {key}" for name, key in several.items()]
    return tuple(f"{key.split(' ')[0]} {seal.mark_of(key.encode())}" for key in keys)


def note_success(backups: Path, manifest: Manifest, finished_at: datetime) -> Path:
    """Tell Prometheus about a backup that is whole; the file is replaced at once, so that it is never read half written."""
    size = sum(each.bytes for each in manifest.databases.values())
    lines = [
        "# HELP bloom_backup_last_success_timestamp_seconds When the last whole backup was finished.",
        "# TYPE bloom_backup_last_success_timestamp_seconds gauge",
        f"bloom_backup_last_success_timestamp_seconds {finished_at.timestamp():.0f}",
        "# HELP bloom_backup_last_duration_seconds How long the last whole backup took.",
        "# TYPE bloom_backup_last_duration_seconds gauge",
        f"bloom_backup_last_duration_seconds {(finished_at - manifest.began_at).total_seconds():.3f}",
        "# HELP bloom_backup_last_bytes How large the dumps of the last whole backup are.",
        "# TYPE bloom_backup_last_bytes gauge",
        f"bloom_backup_last_bytes {size}",
    ]
    file, aside = backups / TEXTFILE, backups / f".{TEXTFILE}.{os.getpid()}"
    aside.write_text("\n".join(lines) + "\n")
    aside.replace(file)
    return file


async def _dump(postgres: PostgresServer, service: str, folder: Path, seal: Seal) -> DatabaseBackup:
    """Dump one database; rows are counted in the very snapshot that is dumped."""
    name, database = f"{service}.dump.sealed", postgres.service_database(service).name
    connection = await asyncpg.connect(postgres.superuser_url_of(database))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("select pg_export_snapshot()")
            snapshot_at = await connection.fetchval("select now()")
            sha256 = await asyncio.to_thread(_write_dump, postgres, database, snapshot, folder / name, seal)
            rows = await count_rows(connection)
    finally:
        await connection.close()
    return DatabaseBackup(name, sha256, (folder / name).stat().st_size, snapshot_at, rows)


def _write_dump(postgres: PostgresServer, database: str, snapshot: str, file: Path, seal: Seal) -> str:
    with postgres.dump(database, snapshot=snapshot) as source, file.open("xb") as target:
        file.chmod(0o600)
        return seal.seal(source, target, name=file.name)
