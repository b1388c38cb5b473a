"""The API pages: Swagger UI and the merged OpenAPI document as plain files, which Envoy answers by itself.

Nothing comes from another host, and no script stands in a page, so that the strictest content security policy holds.
"""

from __future__ import annotations

import importlib.util
import shutil
from importlib.resources import files
from pathlib import Path

_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")


def write_site(folder: Path, openapi: Path) -> Path:
    """Write the pages for the OpenAPI document at `openapi` into `folder`, replacing older ones; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in files("gateway").joinpath("pages").iterdir():
        (folder / page.name).write_bytes(page.read_bytes())
    for name in _ASSETS:
        shutil.copyfile(_swagger_ui() / name, folder / name)
    shutil.copyfile(openapi, folder / "openapi.json")
    return folder


def _swagger_ui() -> Path:
    """Where the installed package keeps Swagger UI's files, found without importing it."""
    found = importlib.util.find_spec("fastapi_swagger")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the package fastapi-swagger, which carries Swagger UI, is not installed: run make setup")
    return Path(found.submodule_search_locations[0]) / "resources"
