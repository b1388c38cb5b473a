"""A small client of the Kubernetes API: what the story of an installation asks and changes."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

Object = dict[str, Any]


class Broken(Exception):  # noqa: N818  # named for what is found
    """The cluster is not as it has to be."""


class Api:
    """Speaks to one API server as its administrator."""

    def __init__(self, url: str, token: str, ca_file: Path) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=ca_file),
            timeout=30,
        )

    def close(self) -> None:
        self._client.close()

    def is_ready(self) -> bool:
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str) -> Object:
        found: Object = self._client.get(path).raise_for_status().json()
        return found

    def items(self, path: str) -> list[Object]:
        found: list[Object] = self.get(path)["items"]
        return found

    def create(self, path: str, body: Object) -> Object:
        """Create; Broken with the server's own words when it refuses."""
        answer = self._client.post(path, json=body)
        if answer.status_code >= 300:
            raise Broken(f"{body['kind']} {body['metadata'].get('name')}: {answer.json().get('message')}")
        made: Object = answer.json()
        return made

    def refusal(self, path: str, body: Object) -> str:
        """Why the server does not create it; empty when it does."""
        answer = self._client.post(path, json=body)
        return str(answer.json().get("message")) if answer.status_code >= 300 else ""

    def status_of_creating(self, path: str, body: Object) -> int:
        return self._client.post(path, json=body).status_code

    def merge(self, path: str, body: Object) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        self._client.patch(path, json=body, headers=headers).raise_for_status()

    def delete(self, path: str) -> None:
        self._client.delete(path).raise_for_status()

    def resources(self) -> list[str]:
        """The path below a namespace of everything that can be listed there, such as `/apis/apps/v1:deployments`."""
        groups = ["/api/v1"] + [f"/apis/{group['preferredVersion']['groupVersion']}" for group in self.get("/apis")["groups"]]
        return [
            f"{group}:{one['name']}"
            for group in groups
            for one in self.get(group)["resources"]
            if one["namespaced"] and "list" in one["verbs"] and "/" not in one["name"]
        ]


def wait_for(what: str, look: Callable[[], bool], seconds: float = 120) -> None:
    """Look until it is so; Broken, naming it, when the time is over."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.3)
