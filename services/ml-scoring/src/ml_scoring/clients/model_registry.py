"""The registry: which models a store holds, and one of them brought here with every hash checked."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ml_scoring.clients.model_cache import ModelCache
from ml_scoring.domain.models import ModelIdentity, ModelReference, ModelStoreAway, ModelUnusable, UnknownModel
from ml_scoring.model.package import (
    CARD,
    CONFIG,
    LONGEST_CONFIG_BYTES,
    ModelConfig,
    Package,
    SealedConfig,
    check_file,
    read_config,
)
from service_kit.errors import ServiceUnavailable
from service_kit.object_store.folder import FolderStore
from service_kit.object_store.port import ObjectAbsent, ObjectStore, Sink


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a model has arrived."""

    reference: ModelReference
    bytes_done: int
    bytes_total: int

    @property
    def percent(self) -> int:
        return self.bytes_done * 100 // self.bytes_total


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What is known of a model without loading it; the card is Markdown."""

    identity: ModelIdentity
    config: ModelConfig
    card: str


class ModelRegistry:
    """Models of one store; copies of those from a bucket are kept in a cache folder.

    `report` hears, on another thread, about each tenth of a download.
    """

    def __init__(self, store: ObjectStore, cache: Path, report: Report) -> None:
        self._store = store
        self._cache = ModelCache(cache)
        self._report = report

    async def list_models(self) -> list[ModelReference]:
        """Every model and version of the store in order, broken ones too; raises ModelStoreAway."""
        return await asyncio.to_thread(self._list_models)

    async def describe(self, reference: ModelReference) -> ModelDescription:
        """Identity and card of a model; raises UnknownModel, ModelUnusable or ModelStoreAway."""
        return await asyncio.to_thread(self._describe, reference)

    async def open(self, reference: ModelReference) -> Package:
        """A model's files, checked; raises UnknownModel, ModelUnusable or, when there is no copy here either, ModelStoreAway."""
        return await asyncio.to_thread(self._open, reference)

    def _list_models(self) -> list[ModelReference]:
        with _models_errors():
            paths = self._store.paths()
        places = (path.removesuffix(f"/{CONFIG}") for path in paths if path.endswith(f"/{CONFIG}"))
        return sorted((found for found in map(_reference, places) if found), key=_in_order)

    def _describe(self, reference: ModelReference) -> ModelDescription:
        sealed, _ = self._config(reference)
        seal, sink = sealed.config.files[CARD], _Bounded(CARD, sealed.config.files[CARD].bytes)
        self._copy(reference, CARD, sink)
        card = check_file(CARD, sink.getvalue(), seal)
        return ModelDescription(sealed.identity, sealed.config, card.decode(errors="replace"))

    def _open(self, reference: ModelReference) -> Package:
        try:
            sealed, content = self._config(reference)
        except ModelStoreAway:
            if kept := self._cache.find(reference):
                return kept
            raise
        if isinstance(self._store, FolderStore):
            return Package.read(self._store.root / str(reference), expected=reference)
        pinned = sealed.identity.reference
        return self._cache.find(pinned) or self._cache.keep(sealed, content, partial(self._copy, pinned), self._reporter(sealed))

    def _config(self, reference: ModelReference) -> tuple[SealedConfig, bytes]:
        sink = _Bounded(CONFIG, LONGEST_CONFIG_BYTES)
        with _models_errors():
            self._store.copy(f"{reference}/{CONFIG}", sink)
        return read_config(sink.getvalue(), expected=reference), sink.getvalue()

    def _copy(self, reference: ModelReference, name: str, into: Sink) -> None:
        """Copy a file that the config names, which makes its absence a fault of the model."""
        try:
            with _models_errors():
                self._store.copy(f"{reference}/{name}", into)
        except UnknownModel as error:
            raise ModelUnusable(f"{name} is missing") from error

    def _reporter(self, sealed: SealedConfig) -> Callable[[int], None]:
        return _Reporter(sealed, self._report).arrived


class _Reporter:
    """Adds up what arrives and tells about the start and each further tenth."""

    def __init__(self, sealed: SealedConfig, report: Report) -> None:
        self._reference = sealed.identity.reference
        self._total = sum(file.bytes for file in sealed.config.files.values())
        self._report = report
        self._done, self._told = 0, 0
        report(Progress(self._reference, 0, self._total))

    def arrived(self, size: int) -> None:
        self._done += size
        if self._done * 10 // self._total > self._told:
            self._told = self._done * 10 // self._total
            self._report(Progress(self._reference, self._done, self._total))


class _Bounded(io.BytesIO):
    """A sink in memory that refuses a file longer than it may be."""

    def __init__(self, path: str, longest: int) -> None:
        super().__init__()
        self._path, self._longest = path, longest

    def write(self, part: bytes, /) -> int:  # type: ignore[override]  # any buffer in BytesIO, bytes here
        if self.tell() + len(part) > self._longest:
            raise ModelUnusable(f"{self._path} is longer than {self._longest} bytes")
        return super().write(part)


@contextmanager
def _models_errors() -> Iterator[None]:
    """Say what the store says in the words of models."""
    try:
        yield
    except ObjectAbsent as error:
        raise UnknownModel from error
    except ServiceUnavailable as error:
        raise ModelStoreAway(error.detail) from error


def _reference(place: str) -> ModelReference | None:
    try:
        return ModelReference.parse(place)
    except ValueError:
        return None


def _in_order(reference: ModelReference) -> tuple[str, list[tuple[int, str]]]:
    """By name, then by version with its numbers as numbers, so that 10 follows 9."""
    return reference.name, [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", reference.version) if part
    ]
