"""What a store of files has to be able to do. Calls block: make them on a thread."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from service_kit.errors import ServiceUnavailable

CHUNK_BYTES = 1024 * 1024
"""How much of a file is held at once while it is copied."""


class ObjectAbsent(Exception):  # noqa: N818  # named for the outcome, as problems are; who asked says what it means
    """There is no file of that path."""


class Sink(Protocol):
    """What a file is written into."""

    def write(self, part: bytes, /) -> object:
        """Take the next part."""


class ObjectStore(Protocol):
    """Files by their path. Raises ServiceUnavailable when the store fails, with a reason that holds no path and no secret."""

    def put(self, path: str, content: bytes) -> None:
        """Return once the file is there as a whole; one that was there is replaced."""

    def copy(self, path: str, into: Sink) -> None:
        """Write the file's content into the sink, part by part; raises ObjectAbsent when there is no such file."""

    def paths(self, prefix: str = "") -> list[str]:
        """The path of every file that begins so, in order."""

    def remove(self, path: str) -> None:
        """Remove the file; nothing happens when there is none."""


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """How a store is reached; what is not given is found as the cloud's own library does (environment, instance, workload).

    `answer_seconds` is how long a store may be silent before it counts as away.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    answer_seconds: float = 10.0


def content_of(store: ObjectStore, path: str) -> bytes:
    """The whole content of a file that was put there; raises ServiceUnavailable, also when the store has lost it."""
    sink = io.BytesIO()
    try:
        store.copy(path, sink)
    except ObjectAbsent as error:
        raise ServiceUnavailable("The store lacks a file that was put there.") from error
    return sink.getvalue()
