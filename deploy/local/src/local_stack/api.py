"""A small caller of the platform's HTTP API, as a browser or an app would be one, for the seed and the demo."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local_stack.errors import StackError


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the decoded JSON body (empty for none) and the ETag."""

    status: int
    body: dict[str, Any]
    etag: str

    @property
    def problem(self) -> str:
        """The slug of the problem, such as `slot-taken`; empty when all went well."""
        return str(self.body.get("type", "")).rpartition(":")[2]


class Api:
    """Requests to one address, as one person (`token`) or as nobody."""

    def __init__(self, url: str, *, token: str | None = None, logs: Path | None = None) -> None:
        self.url = url
        self.token = token
        self._logs = logs
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # No connection outlives its request, so that a caller who is not closed leaves none open.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=url, headers=headers, timeout=15.0, trust_env=False, limits=limits)

    def ask(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request and give whatever is answered; StackError only when nobody answers."""
        try:
            response = self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise StackError("gateway", f"no answer to {method} {path} at {self.url}: {error}", self._logs) from error
        is_json = "json" in response.headers.get("content-type", "")
        return Answer(response.status_code, response.json() if is_json else {}, response.headers.get("etag", ""))

    def get(self, path: str) -> Answer:
        """GET that has to succeed."""
        return self.must("GET", path)

    def post(self, path: str, body: object = None) -> Answer:
        """POST that has to succeed."""
        return self.must("POST", path, body)

    def change(self, method: str, path: str, body: object) -> Answer:
        """PUT or PATCH of what is there now: reads its ETag first, then sends the change with it."""
        return self.must(method, path, body, headers={"if-match": self.get(path).etag})

    def must(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """A request that has to succeed; anything else is a StackError with the problem that was answered."""
        answer = self.ask(method, path, body, headers=headers)
        if answer.status >= 400:
            why = f"{answer.problem} {answer.body.get('title', '')} {answer.body.get('detail', '')}"
            raise StackError("api", f"{method} {path} was answered {answer.status} {why}", self._logs)
        return answer

    def signed_in(self, *, email: str, password: str, tenant: str) -> "Api":
        """The same address as this person."""
        answer = self.post("/api/auth/sign-in", {"email": email, "password": password, "tenant": tenant})
        return Api(self.url, token=answer.body["access_token"], logs=self._logs)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
