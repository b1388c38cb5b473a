"""Which images there are, and what each is made of: one per service, the gateway, and what compose runs beside them."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.names import import_name
from local_stack.paths import ROOT
from local_stack.ports import DEFAULT_PORTS
from local_stack.services import SERVICES

# The same exact version everywhere, so that a rebuilt image differs by what was committed.
PYTHON_IMAGE = "python:3.11.14-slim-bookworm"
# What everything in this repository is released as, until a release says otherwise.
VERSION = "0.1.0"
# A number, because an orchestrator that demands an unprivileged user can check nothing else.
USER = 10001
# Where a process without an API answers health and metrics, unless its surroundings say otherwise.
PROBE_PORT = 8081
_LIBRARIES = ("bloom-events", "bloom-service-kit")
_OWN_BYTES, _SCORING_BYTES = 250_000_000, 450_000_000


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image: `sources` and `extra` (from, to) are copied into it, `environment` is what its processes find set."""

    name: str
    title: str
    folder: str
    sources: Sequence[str]
    entrypoint: Sequence[str]
    command: Sequence[str] = ()
    commands: Sequence[str] = ()
    extra: Sequence[tuple[str, str]] = ()
    environment: dict[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()
    health: Sequence[str] = ()
    limit_bytes: int = _OWN_BYTES

    @property
    def dockerfile(self) -> str:
        """The path of its Dockerfile below the root."""
        return f"{self.folder}/Dockerfile"

    @property
    def lock(self) -> str:
        """The path below the root of the packages that are installed in it, each with its version and hashes."""
        return f"requirements/images/{self.name}.txt"

    @property
    def tag(self) -> str:
        """The name under which it is built and published."""
        return f"bloom/{self.name}"


def images() -> list[Image]:
    """Every image of the repository."""
    return [*(_service(name) for name in SERVICES), _gateway(), _setup()]


def image(name: str) -> Image:
    """The image of this name; ValueError names those that there are."""
    for each in images():
        if each.name == name:
            return each
    raise ValueError(f"no image {name}; there are {', '.join(each.name for each in images())}")


def declared_packages(service: str) -> list[str]:
    """What a service's code says that it needs from others, its libraries' needs included, by name."""
    return sorted(set(_declared(ROOT / "services" / service / "pyproject.toml", ())))


def _service(name: str) -> Image:
    package = import_name(name)
    prefix = package.upper()
    project = tomllib.loads((ROOT / "services" / name / "pyproject.toml").read_text())["project"]
    models = (ROOT / "services" / name / "models").is_dir()
    extra = [
        (f"services/{name}/migrations", "/app/migrations"),
        *([(f"services/{name}/models", "/app/models")] if models else []),
    ]
    port = DEFAULT_PORTS[f"{name}-api"]
    return Image(
        name=name,
        title=project["description"],
        folder=f"services/{name}",
        sources=("libs/events/src", "libs/service-kit/src", f"services/{name}/src"),
        entrypoint=("python", "-m", package),
        command=("api",),
        commands=(*SERVICES[name], "migrate"),
        extra=extra,
        environment={
            f"{prefix}_HOST": "0.0.0.0",  # noqa: S104  # every interface of a container is its own
            f"{prefix}_PORT": str(port),
            f"{prefix}_PROBE_PORT": str(PROBE_PORT),
            f"{prefix}_MIGRATIONS_FOLDER": "/app/migrations",
            **({f"{prefix}_MODELS": "/app/models", f"{prefix}_MODELS_CACHE": "/tmp/models"} if models else {}),  # noqa: S108  # the one folder that can be written
        },
        ports=(port, PROBE_PORT),
        health=("python", "-m", "service_kit.asked_health", f"{prefix}_PORT", f"{prefix}_PROBE_PORT"),
        limit_bytes=_SCORING_BYTES if models else _OWN_BYTES,
    )


def _gateway() -> Image:
    port = DEFAULT_PORTS["gateway"]
    ask = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/health/live', timeout=3)"
    return Image(
        name="gateway",
        title="Envoy with the platform's routes, rendered when the container starts",
        folder="deploy/gateway",
        sources=("deploy/gateway/src",),
        # What differs between deployments comes after: --target compose --upstream auth=auth-api:8101
        entrypoint=("python", "-m", "gateway", "run", "--openapi", "/app/openapi.json", "--out", "/tmp/gateway"),  # noqa: S108  # the same
        command=("--target", "compose"),
        extra=[("docs/openapi.json", "/app/openapi.json")],
        ports=(port,),
        health=("python", "-c", ask),
    )


def _setup() -> Image:
    return Image(
        name="setup",
        title="Makes topics and buckets, takes mail, simulates providers: what compose runs beside the services",
        folder="deploy/local",
        sources=("libs/events/src", "libs/service-kit/src", "deploy/local/src"),
        entrypoint=("python", "-m", "local_stack.compose_setup"),
    )


def _declared(manifest: Path, extras: Sequence[str]) -> Iterator[str]:
    """The packages of a manifest and of these of its extras; those of the repository's own libraries in their place."""
    project = tomllib.loads(manifest.read_text())["project"]
    optional = project.get("optional-dependencies", {})
    for requirement in [*project.get("dependencies", []), *(each for extra in extras for each in optional[extra])]:
        name, _, asked = requirement.rstrip("]").partition("[")
        if name in _LIBRARIES:
            yield from _declared(ROOT / "libs" / name.removeprefix("bloom-") / "pyproject.toml", re.findall(r"[\w-]+", asked))
        else:
            yield requirement
