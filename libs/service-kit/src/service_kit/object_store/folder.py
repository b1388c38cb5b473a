"""A store in a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from service_kit.errors import ServiceUnavailable
from service_kit.object_store.port import CHUNK_BYTES, ObjectAbsent, Sink

_PARTIAL = ".partial"


class FolderStore:
    """A file appears under its name when it is whole and on the disk. `root` is the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, content: bytes) -> None:
        """See ObjectStore."""
        with _errors():
            aside, place = self.root / _PARTIAL / uuid4().hex, self.root / path
            for folder in (aside.parent, place.parent):
                folder.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(place)
            _sync_folder(place.parent)

    def copy(self, path: str, into: Sink) -> None:
        """See ObjectStore."""
        with _errors(), self._opened(path) as file:
            while part := file.read(CHUNK_BYTES):
                into.write(part)

    def paths(self, prefix: str = "") -> list[str]:
        """See ObjectStore. Folders behind symbolic links count as folders."""
        with _errors():
            found = (str(file.relative_to(self.root)) for file in _files(self.root / prefix.rpartition("/")[0]))
            return sorted(path for path in found if path.startswith(prefix) and not path.startswith(_PARTIAL))

    def remove(self, path: str) -> None:
        """See ObjectStore."""
        with _errors():
            (self.root / path).unlink(missing_ok=True)

    def _opened(self, path: str) -> IO[bytes]:
        try:
            return (self.root / path).open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ObjectAbsent from error


def _files(folder: Path) -> Iterator[Path]:
    for inside, _, names in os.walk(folder, followlinks=True, onerror=_unless_gone):
        yield from (Path(inside, name) for name in names)


def _unless_gone(error: OSError) -> None:
    """A folder that is not there, or not any more, holds no files; one that cannot be read is a failure."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _sync_folder(folder: Path) -> None:
    """See to it that the names in the folder outlive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceUnavailable(f"The folder cannot be used: {error.strerror}.") from error
