"""Gives images to a registry under the commit they were built from, and keeps which digest each got there."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from images.building import reference
from images.catalog import Image
from images.engine import Engine, EngineError
from images.stand_ins import is_stand_in
from local_stack.paths import state_folder


def digests_file() -> Path:
    """Where the digests of what was published last are kept."""
    return state_folder() / "published.json"


def publish(engine: Engine, wanted: Iterable[Image], registry: str, commit: str) -> dict[str, str]:
    """Push each image as `<registry>/bloom/<name>:<commit>`; gives its address with the digest, by which it is deployed."""
    if commit.endswith("-dirty") or commit == "unknown":
        raise EngineError("what is published is a commit: this working tree has more than one, or is none")
    published = {}
    for image in wanted:
        if is_stand_in(engine, reference(image)):
            raise EngineError(f"{reference(image)} stands on a stand-in and is not for publishing")
        there = f"{registry}/{image.tag}"
        engine.run("tag", reference(image), f"{there}:{commit}")
        engine.run("push", f"{there}:{commit}")
        known = json.loads(engine.text("inspect", "--type", "image", "--format", "{{json .RepoDigests}}", reference(image)))
        published[image.name] = next(each for each in known if each.startswith(f"{there}@sha256:"))
    return published


def sign_in(engine: Engine, registry: str, environment: Mapping[str, str] = os.environ) -> None:
    """Sign in to the registry's host where the environment says as whom; the password goes by standard input."""
    user, password = environment.get("REGISTRY_USER"), environment.get("REGISTRY_PASSWORD")
    if not user or not password:
        return
    host = registry.partition("/")[0]
    command = [engine.program, "login", host, "--username", user, "--password-stdin"]
    told = {**environment, **engine.environment}
    if subprocess.run(command, input=password, env=told, text=True, capture_output=True, check=False).returncode != 0:
        raise EngineError(f"{host} does not let {user} in")
