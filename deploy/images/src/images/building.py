"""Builds the images of the catalogue with whatever engine there is, and says which version and commit they are."""

import subprocess
import time
from collections.abc import Iterable

from images.catalog import VERSION, Image
from images.engine import Engine
from images.stand_ins import ensure_base
from local_stack.paths import ROOT


def build_images(engine: Engine, wanted: Iterable[Image]) -> None:
    """Build each image as `bloom/<name>:<version>`, one line before and after; EngineError names the one that failed."""
    if ensure_base(engine):
        print("The base image is a stand-in: good for tests on this machine, not for publishing.", flush=True)
    arguments = {"VERSION": VERSION, "REVISION": revision()}
    for image in wanted:
        began = time.monotonic()
        print(f"── {image.tag}", flush=True)
        engine.build(ROOT, ROOT / image.dockerfile, reference(image), arguments)
        print(f"{reference(image):<32} built in {time.monotonic() - began:.0f} s, {megabytes(engine, image)} MB", flush=True)


def reference(image: Image) -> str:
    """The image's name with its version."""
    return f"{image.tag}:{VERSION}"


def revision() -> str:
    """The commit that is built, marked when the working tree has more than it."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def megabytes(engine: Engine, image: Image) -> int:
    """The size of an image, its base included."""
    return int(engine.text("inspect", "--type", "image", "--format", "{{.Size}}", reference(image))) // 1_000_000
