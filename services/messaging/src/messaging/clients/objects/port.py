"""What an object store has to be able to do for attachments: S3 and Google Cloud Storage do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from urllib.parse import quote

from messaging.domain.attachments import Content


@dataclass(frozen=True, slots=True)
class UploadLink:
    """How a client uploads: this method to this address, with exactly these headers, and the announced bytes as the body."""

    method: str
    url: str
    headers: Mapping[str, str]


class ObjectStore(Protocol):
    """Keeps the content of files; clients reach it by links that are good for one thing and a short time.

    Making a link asks nobody. The others raise ServiceUnavailable while the store cannot be reached.
    """

    def upload_link(self, key: str, content: Content, lifetime: timedelta) -> UploadLink:
        """A link that takes content of this type, size and checksum, as far as the store can see to it, and no other."""
        ...

    def download_link(self, key: str, name: str, lifetime: timedelta) -> str:
        """A link to the content that a browser saves under this name and neither shows nor runs."""
        ...

    async def describe(self, key: str) -> Content | None:
        """What is stored there, its checksum being that of the stored bytes; None when there is nothing."""
        ...

    async def remove(self, key: str) -> None:
        """Removes what is stored there, if anything is."""
        ...

    async def aclose(self) -> None:
        """Lets go of connections and threads."""
        ...


DOWNLOAD_TYPE = "application/octet-stream"
"""The content type of every download: no browser guesses another one for it, and none shows it."""


def disposition(name: str) -> str:
    """The Content-Disposition that saves under this name, whatever its characters (RFC 6266)."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in " .-_()") else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
