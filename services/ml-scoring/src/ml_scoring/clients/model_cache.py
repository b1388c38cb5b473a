"""Copies of models on this machine, by the hash of what they are: name/version/seal."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO
from uuid import uuid4

from ml_scoring.domain.models import ModelReference, ModelUnusable
from ml_scoring.model.package import CONFIG, FileSeal, Package, SealedConfig
from service_kit.object_store.port import Sink

Copy = Callable[[str, Sink], None]
"""Writes the model's file of that name into the sink."""


class ModelCache:
    """Several processes may share the folder: a copy appears whole or not at all, and is checked again whenever it is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, reference: ModelReference) -> Package | None:
        """The newest good copy of what the reference names; None when there is none."""
        home = self._folder / str(reference)
        copies = [path for path in home.glob("*") if not path.name.startswith(".")]
        for copy in sorted(copies, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            try:
                return Package.read(copy, expected=reference)
            except ModelUnusable:
                if reference.seal in {None, copy.name}:
                    _discard(copy)
        return None

    def keep(self, sealed: SealedConfig, content: bytes, copy: Copy, arrived: Callable[[int], None]) -> Package:
        """Copy a model here, each file checked while it arrives; raises ModelUnusable, and leaves nothing half done."""
        reference = sealed.identity.reference
        home = self._folder / str(reference)
        draft = home / f".{uuid4()}"
        try:
            draft.mkdir(parents=True)
            for name, seal in sealed.config.files.items():
                with (draft / name).open("wb") as file:
                    checked = CheckedFile(name, seal, file, arrived)
                    copy(name, checked)
                    checked.end()
            (draft / CONFIG).write_bytes(content)
            _place(draft, home / sealed.seal)
        except OSError as error:
            raise ModelUnusable(f"no copy of {reference} can be kept here: {error.strerror}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return Package.read(home / sealed.seal, expected=reference)


class CheckedFile:
    """A sink that hashes what goes through and stops a file that grows beyond its size."""

    def __init__(self, name: str, seal: FileSeal, file: IO[bytes], arrived: Callable[[int], None]) -> None:
        self._name, self._seal, self._file, self._arrived = name, seal, file, arrived
        self._hash, self._size = hashlib.sha256(), 0

    def write(self, part: bytes, /) -> int:
        self._size += len(part)
        if self._size > self._seal.bytes:
            raise ModelUnusable(f"{self._name} is longer than the {self._seal.bytes} bytes that {CONFIG} names")
        self._hash.update(part)
        self._arrived(len(part))
        return self._file.write(part)

    def end(self) -> None:
        if self._size != self._seal.bytes or self._hash.hexdigest() != self._seal.sha256:
            raise ModelUnusable(f"{self._name} is not the file that {CONFIG} names: its size or hash differs")


def _place(draft: Path, home: Path) -> None:
    """Give a finished copy its name; when another process was faster, the same content is there already."""
    try:
        draft.rename(home)
    except OSError:
        if not home.is_dir():
            raise


def _discard(copy: Path) -> None:
    """Take a damaged copy away under a name that nobody looks at, so that a good one can take its place."""
    aside = copy.with_name(f".{uuid4()}")
    try:
        copy.rename(aside)
    except FileNotFoundError:
        return  # another process was faster
    shutil.rmtree(aside, ignore_errors=True)
