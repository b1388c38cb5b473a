"""What a backup says about itself: moments, counts, places on the log. No secret and nothing about a person is in it."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local_stack.errors import StackError
from local_stack.recovery.sealing import Seal

NAME = "manifest.json"
_MARK = "manifest.mark"
_FORMAT = 1

Offsets = Mapping[str, Mapping[int, int]]
"""Offsets by topic and partition."""


@dataclass(frozen=True)
class DatabaseBackup:
    """One service's database: the sealed dump, the moment that it shows, and how many rows each table had then."""

    file: str
    sha256: str
    bytes: int
    snapshot_at: datetime
    rows: Mapping[str, int]


@dataclass(frozen=True)
class TopicBackup:
    """A topic's shape, and the settings that it has of its own."""

    partitions: int
    replication_factor: int
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """A whole backup; `ends` and `groups` were read before the first dump began, so that no state is older than they are."""

    began_at: datetime
    databases: Mapping[str, DatabaseBackup]
    topics: Mapping[str, TopicBackup]
    ends: Offsets
    groups: Mapping[str, Offsets]
    key_marks: tuple[str, ...]

    @property
    def shows(self) -> datetime:
        """The moment from which on something is missing: that of the oldest dump."""
        return min(each.snapshot_at for each in self.databases.values())


def write_manifest(folder: Path, manifest: Manifest, seal: Seal) -> None:
    """Put the manifest and its mark beside the dumps; without them there is no backup."""
    content = json.dumps({"format": _FORMAT, **asdict(manifest)}, default=datetime.isoformat, indent=1).encode()
    (folder / _MARK).write_text(seal.mark_of(content))
    (folder / NAME).write_bytes(content)


def read_manifest(folder: Path, seal: Seal) -> Manifest:
    """The manifest of a backup; StackError where there is none, or none that this key has marked."""
    try:
        content, mark = (folder / NAME).read_bytes(), (folder / _MARK).read_text()
    except FileNotFoundError:
        raise StackError("backup", f"there is no backup in {folder}") from None
    if not hmac.compare_digest(mark, seal.mark_of(content)):
        raise StackError("backup", f"the manifest in {folder} was changed, or belongs to another key")
    told = json.loads(content)
    if told["format"] != _FORMAT:
        raise StackError("backup", f"the backup in {folder} has format {told['format']}, this program reads {_FORMAT}")
    return _manifest(told)


def _manifest(told: Mapping[str, Any]) -> Manifest:
    return Manifest(
        began_at=datetime.fromisoformat(told["began_at"]),
        databases={
            service: DatabaseBackup(**{**each, "snapshot_at": datetime.fromisoformat(each["snapshot_at"])})
            for service, each in told["databases"].items()
        },
        topics={name: TopicBackup(**each) for name, each in told["topics"].items()},
        ends=_offsets(told["ends"]),
        groups={group: _offsets(each) for group, each in told["groups"].items()},
        key_marks=tuple(told["key_marks"]),
    )


def _offsets(told: Mapping[str, Mapping[str, int]]) -> Offsets:
    return {topic: {int(number): offset for number, offset in each.items()} for topic, each in told.items()}
