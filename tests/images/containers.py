"""Containers of the images as an orchestrator would start them, and what their processes are told."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from images.building import reference
from images.catalog import Image, image, images
from images.engine import Engine
from local_stack.names import import_name
from local_stack.stack import Stack

# What a container is told by its image; the local stack says where these lie on this machine.
IN_THE_IMAGE = ("MIGRATIONS_FOLDER", "MODELS")
KEY_PLACE = "/run/secrets/messaging-key-encryption-keys"


def wanted() -> list[Image]:
    """The images that are tried: those that BLOOM_IMAGES names, or all."""
    return [image(name) for name in os.environ.get("BLOOM_IMAGES", "").split()] or images()


@dataclass
class Containers:
    """Starts containers of an image as an orchestrator would that trusts nobody, and removes them all."""

    engine: Engine
    stack: Stack
    started: list[str] = field(default_factory=list)

    def start(self, image: Image, *arguments: str, environment: Mapping[str, str], network: str = "host") -> str:
        """A container in the background: read-only but for /tmp, without capabilities; gives its id."""
        told = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        kept = self.stack.secrets / "messaging-key-encryption-keys"
        mounted = ("--volume", f"{kept}:{KEY_PLACE}:ro") if image.name == "messaging" else ()
        hardened = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108  # of the container
        container = self.engine.text(
            "run",
            "--detach",
            "--network",
            network,
            *hardened,
            *mounted,
            *told,
            "--health-interval",
            "1s",
            reference(image),
            *arguments,
        )
        self.started.append(container)
        return container

    def of(self, service: str, process: str) -> dict[str, str]:
        """What the local stack would tell this process, but for what the image knows itself."""
        prefix = import_name(service).upper()
        given = self.stack.surroundings.of(service, process, port=self.stack.ports.get(f"{service}-{process}", 0))
        for name in IN_THE_IMAGE:
            given.pop(f"{prefix}_{name}", None)
        if service == "messaging":
            given[f"{prefix}_KEY_ENCRYPTION"] = f"file:{KEY_PLACE}"
        return given

    def state(self, container: str, what: str) -> str:
        """A field of the container's state."""
        return self.engine.text("inspect", "--format", f"{{{{.State.{what}}}}}", container)

    def logs(self, container: str) -> str:
        """What the container wrote."""
        done = self.engine.run("logs", "--tail", "30", container, check=False)
        return done.stdout + done.stderr

    def remove(self, container: str) -> None:
        """End it and forget it."""
        self.engine.run("rm", "--force", container, check=False)
