"""Which store an address means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from service_kit.object_store.folder import FolderStore
from service_kit.object_store.port import ObjectStore, StoreAccess


def open_store(address: str, access: StoreAccess | None = None) -> ObjectStore:
    """The store at `s3://bucket/prefix`, `gs://bucket/prefix`, `file:///folder` or a plain folder; raises ValueError.

    Only the cloud's library that is needed is imported, because Google's takes a second.
    """
    access = access or StoreAccess()
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    match parts.scheme:
        case "s3" if parts.netloc:
            from service_kit.object_store.s3 import S3Store

            return S3Store(parts.netloc, prefix, access)
        case "gs" if parts.netloc:
            from service_kit.object_store.google import GoogleStore

            return GoogleStore(parts.netloc, prefix, access)
        case "file" if not parts.netloc and prefix:
            return FolderStore(Path(unquote(parts.path)))
        case "" if address:
            return FolderStore(Path(address))
        case _:
            raise ValueError("a store is s3://bucket/prefix, gs://bucket/prefix, file:///folder or a folder")
