"""The files that are written from the catalogue: Dockerfiles, what their services need, and who is watched in containers."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from images import scraping
from images.catalog import PYTHON_IMAGE, USER, VERSION, Image, declared_packages, images
from local_stack.paths import ROOT
from local_stack.services import SERVICES

_TEMPLATE = Path(__file__).parent / "templates" / "Dockerfile.j2"
_HEAD = (
    "# What {name} declares in its pyproject.toml and its libraries in theirs. Written by `make events`, locked by `make lock`.\n"
)
_SENT = "# Everything but what images copy stays here. Written by `make events` from the images' catalogue.\n*\n"
_BILL, _BILL_LOCK = "deploy/images/src/images/sbom.py", "requirements/sbom.txt"


def dockerfile(image: Image) -> str:
    """The text of an image's Dockerfile."""
    # Nothing is escaped: what is written is a Dockerfile and comes from this repository alone.
    environment = Environment(  # noqa: S701  # see above
        loader=FileSystemLoader(_TEMPLATE.parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["json"] = lambda words: json.dumps(list(words))
    template = environment.get_template(_TEMPLATE.name)
    return template.render(image=image, python=PYTHON_IMAGE, user=USER, version=VERSION, template=_TEMPLATE.relative_to(ROOT))


def requirements(service: str) -> str:
    """The text of the list of packages that is locked for a service's image."""
    return _HEAD.format(name=service) + "".join(f"{package}\n" for package in declared_packages(service))


def sent() -> str:
    """The text of .dockerignore: only what some image copies is sent to the engine.

    Each folder is named in full, because Docker's older builder does not look below a star for what it should keep.
    """
    copied = {path for image in images() for path in (*image.sources, *(origin for origin, _ in image.extra), image.lock)}
    return _SENT + "".join(f"!{path}\n" for path in sorted(copied | {_BILL, _BILL_LOCK})) + "**/__pycache__\n"


def generated() -> dict[str, str]:
    """Every file of this kind: its path below the root and its text."""
    return {
        **{image.dockerfile: dockerfile(image) for image in images()},
        **{f"requirements/images/{service}.in": requirements(service) for service in SERVICES},
        ".dockerignore": sent(),
        scraping.PATH: scraping.scrape_configuration(),
    }
