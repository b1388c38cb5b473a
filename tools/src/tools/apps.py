"""The services' APIs as applications that no server stands behind: enough for their documents, not for a request."""

import base64
import importlib
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from local_stack.names import import_name
from tools.steps import ROOT

# What a service refuses to start without; nothing of it is ever used, because nothing is opened before an app's lifespan.
_KEY = {"master_key": base64.b64encode(bytes(32)).decode()}
_NEEDED: Mapping[str, Mapping[str, object]] = {
    "auth": _KEY,
    "messaging": {"key_encryption": "file:/nowhere"},
    "notifications": _KEY,
}
_EVERY: Mapping[str, object] = {"environment": "test", "database_url": "postgresql://127.0.0.1/nothing"}


def service_names() -> list[str]:
    """The names of the services that have an API, in alphabetical order."""
    folders = ROOT.glob("services/*")
    return sorted(folder.name for folder in folders if (folder / "src" / import_name(folder.name) / "main.py").is_file())


def unconnected_settings(service: str) -> Any:
    """The service's settings with what it needs to be built; Any, because each service has a class of its own."""
    module = importlib.import_module(f"{import_name(service)}.settings")
    return module.Settings(**_EVERY, **_NEEDED.get(service, {}))


def unconnected_app(service: str) -> FastAPI:
    """The service's API, built and not started."""
    app: FastAPI = importlib.import_module(f"{import_name(service)}.main").create_app(unconnected_settings(service))
    return app
