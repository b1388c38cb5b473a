"""Brings the platform back to a backup: databases, topics, places of consumers, and then the services."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from local_stack.component import bring_up
from local_stack.errors import StackError
from local_stack.recovery.backup import key_marks, rows_of
from local_stack.recovery.manifest import Manifest, read_manifest
from local_stack.recovery.positions import LogAdministration
from local_stack.recovery.reconcile import Reconciled, reconcile
from local_stack.recovery.sealing import Seal
from local_stack.stack import Stack

Report = Callable[[str, float], None]
"""Told of each step with the seconds that it took."""


@dataclass
class Restored:
    """What a restore came to; `seconds` has one entry per step, in their order."""

    manifest: Manifest
    rows: int = 0
    topics: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    found: Reconciled = field(default_factory=Reconciled)
    seconds: dict[str, float] = field(default_factory=dict)


def restore(stack: Stack, folder: Path, seal: Seal, report: Report) -> Restored:
    """Replace every database by the backup's; the services are stopped first, and serve again at the end."""
    manifest = check_backup(stack, folder, seal)
    done = Restored(manifest)
    log = LogAdministration(stack.kafka.bootstrap)

    def step(name: str, work: Callable[[], object]) -> None:
        began = time.monotonic()
        work()
        done.seconds[name] = time.monotonic() - began
        report(name, done.seconds[name])

    step("services stopped", stack.stop_services)
    step("servers running", lambda: [bring_up(server) for server in stack.servers.all()])
    for service in manifest.databases:
        step(f"database {service}", partial(_restore_database, stack, service, folder, manifest, seal))
    done.rows = sum(sum(each.rows.values()) for each in manifest.databases.values())
    step("topics", lambda: done.topics.extend(log.restore_topics(manifest.topics)))
    step("places of consumers", lambda: done.groups.extend(log.restore_groups(manifest.groups)))
    databases = {service: stack.postgres.service_database(service) for service in manifest.databases}

    def compare() -> None:
        done.found = reconcile(databases, stack.kafka.bootstrap, manifest)

    step("outboxes and log compared", compare)
    step("services started", lambda: stack.up(lambda _: None))
    return done


def check_backup(stack: Stack, folder: Path, seal: Seal) -> Manifest:
    """The manifest of a backup that can be restored here; StackError before anything is touched when it cannot."""
    manifest = read_manifest(folder, seal)
    for service, each in manifest.databases.items():
        with (folder / each.file).open("rb") as dump:
            if hashlib.file_digest(dump, "sha256").hexdigest() != each.sha256:
                raise StackError("backup", f"the dump of {service} is not the one that the manifest names")
    if gone := set(manifest.key_marks) - set(key_marks(stack.secrets, seal)):
        names = ", ".join(sorted(mark.partition(" ")[0] for mark in gone))
        raise StackError("backup", f"its contents need keys that are not here: {names}")
    return manifest


def _restore_database(stack: Stack, service: str, folder: Path, manifest: Manifest, seal: Seal) -> None:
    saved, postgres = manifest.databases[service], stack.postgres
    name = postgres.service_database(service).name
    postgres.drop_database(name)
    postgres.create_service_database(service)
    with (folder / saved.file).open("rb") as source, postgres.load(name) as target:
        seal.open(source, target, name=saved.file)
    if (rows := asyncio.run(rows_of(postgres, service))) != saved.rows:
        differing = sorted(table for table in {*rows, *saved.rows} if rows.get(table) != saved.rows.get(table))
        raise StackError("backup", f"restored, {service} has other numbers of rows than its backup in: {', '.join(differing)}")
