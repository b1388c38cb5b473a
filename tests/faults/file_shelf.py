"""An object store in this process's memory, for rows that break something else."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from messaging.clients.objects.port import UploadLink
from messaging.domain.attachments import Content


class FileShelf:
    """Knows of each file what a store would tell of it."""

    def __init__(self) -> None:
        self._stored: dict[str, Content] = {}

    def upload(self, key: str, content: Content) -> None:
        """A client uploads a file with this content."""
        self._stored[key] = content

    def upload_link(self, key: str, content: Content, lifetime: timedelta) -> UploadLink:
        """An address that leads nowhere and is the same each time."""
        headers = {"Content-Type": content.content_type, "Content-Length": str(content.size_bytes)}
        return UploadLink("PUT", f"https://shelf.test/{key}?seconds={lifetime.total_seconds():.0f}", headers)

    def download_link(self, key: str, name: str, lifetime: timedelta) -> str:
        """An address that leads nowhere and is the same each time."""
        return f"https://shelf.test/{key}?name={quote(name)}&seconds={lifetime.total_seconds():.0f}"

    async def describe(self, key: str) -> Content | None:
        """What was uploaded there."""
        return self._stored.get(key)

    async def remove(self, key: str) -> None:
        """Forgets it."""
        self._stored.pop(key, None)

    async def aclose(self) -> None:
        """There are no connections to let go of."""
