"""Where things lie in the lake. A name says what is in the file and by its hash which bytes: no name ever gets other content."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256

DATA = "type="
MANIFESTS = "manifests/"
_HASH_DIGITS = 16
_FOLDER = r"type=(?P<type>[a-z0-9.-]+)/date=(?P<date>\d{4}-\d{2}-\d{2})"
_END = rf"[0-9a-f]{{{_HASH_DIGITS}}}\.parquet"
_PART = re.compile(rf"{_FOLDER}/(?P<topic>[a-z0-9.-]+)\.(?P<partition>\d+)\.(?P<first>\d{{15}})-\d{{15}}\.{_END}")
_COMPACTED = re.compile(rf"{_FOLDER}/compacted\.(?P<generation>\d{{6}})\.{_END}")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records of one partition from `first` until just before `until`."""

    topic: str
    partition: int
    first: int
    until: int


@dataclass(frozen=True, slots=True, order=True)
class Day:
    """The events of one type on one day, by their own time in UTC."""

    type: str
    on: date

    @property
    def folder(self) -> str:
        """Where its files lie, in the manner of Hive."""
        return f"{DATA}{self.type}/date={self.on.isoformat()}"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file that was written. `generation` counts compactions of its day; 0 is what came from the log, from `stretch`."""

    day: Day
    path: str
    rows: int
    size: int
    sha256: bytes
    generation: int = 0
    stretch: Stretch | None = None


def part(day: Day, stretch: Stretch, rows: int, content: bytes) -> LakeFile:
    """The file of a day's events from a stretch of the log."""
    digest = sha256(content)
    place = f"{stretch.topic}.{stretch.partition}.{stretch.first:015d}-{stretch.until:015d}"
    path = f"{day.folder}/{place}.{digest.hexdigest()[:_HASH_DIGITS]}.parquet"
    return LakeFile(day, path, rows, len(content), digest.digest(), 0, stretch)


def compacted(day: Day, generation: int, rows: int, content: bytes) -> LakeFile:
    """The file of all of a day's events."""
    digest = sha256(content)
    path = f"{day.folder}/compacted.{generation:06d}.{digest.hexdigest()[:_HASH_DIGITS]}.parquet"
    return LakeFile(day, path, rows, len(content), digest.digest(), generation)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says at one moment: files, how far each partition was written, compactions, records put aside."""

    paths: frozenset[str]
    positions: Mapping[tuple[str, int], int]
    generations: Mapping[Day, int]
    aside: frozenset[tuple[str, int, int]]

    def is_orphan(self, path: str) -> bool:
        """Whether a writer left this file behind: no manifest names it, and none ever will.

        What a writer has only just put there is none: its records are still to be written, or its compaction is to come.
        """
        if path in self.paths:
            return False
        if found := _PART.fullmatch(path):
            place, first = (found["topic"], int(found["partition"])), int(found["first"])
            return first < self.positions.get(place, 0) and (*place, first) not in self.aside
        if found := _COMPACTED.fullmatch(path):
            day = Day(found["type"], date.fromisoformat(found["date"]))
            return int(found["generation"]) <= self.generations.get(day, 0)
        return False


def manifest_folder(on: date) -> str:
    """Where the manifests of a date lie."""
    return f"{MANIFESTS}date={on.isoformat()}/"


def manifest_path(on: date, revision: int) -> str:
    """A manifest of a date; the last one by name holds."""
    return f"{manifest_folder(on)}{revision:010d}.json"


def revision_of(path: str) -> int:
    """Which revision a manifest's name says."""
    return int(path.rpartition("/")[2].partition(".")[0])


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a manifest names it."""

    path: str
    type: str
    rows: int
    bytes: int
    sha256: str
    is_compacted: bool


def manifest(on: date, revision: int, files: Sequence[ListedFile]) -> bytes:
    """The text of a manifest."""
    said = {"date": on.isoformat(), "revision": revision, "files": [asdict(file) for file in files]}
    return json.dumps(said, separators=(",", ":")).encode()
