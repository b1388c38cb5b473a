"""Where things lie: the repository's root and the cache that several checkouts may share."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def state_folder() -> Path:
    """The git-ignored folder with the local stack's data, logs, pids and secrets (`BLOOM_HOME` moves it)."""
    return Path(os.environ.get("BLOOM_HOME") or ROOT / ".local")


def cache_folder() -> Path:
    """The folder for what is downloaded once (`BLOOM_CACHE` moves it, so that checkouts can share it)."""
    return Path(os.environ.get("BLOOM_CACHE") or ROOT / ".local" / "cache")


def migrations_folder(service: str) -> Path:
    """The folder of a service's numbered SQL files."""
    return ROOT / "services" / service / "migrations"
