"""Requests to every operation of the API with marks in whatever they send: path, query, headers, cookies and body."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from tests.e2e.people import Person
from tests.e2e.planted_values import Schema, Values, leaves, replaced
from tests.e2e.taint import Leak, Marks

from local_stack.paths import ROOT

# What ends a session, an account or a conversation comes last, so that the others find somebody.
_LAST = ("sign-out", "change-password", "suspend", "destroy-key", "members/{user_id}")
_METHODS = ("get", "post", "put", "patch", "delete")
_UNSENT = frozenset({"authorization", "if-match"})


@dataclass(frozen=True)
class Asked:
    """A request as it goes out."""

    operation: str
    path: str
    headers: dict[str, str]
    body: object


@dataclass
class Requests:
    """Sends planted requests as several people; keeps what was accepted, and what refusals repeated."""

    marks: Marks
    known: Mapping[str, Any]
    accepted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    leaks: set[Leak] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._document = json.loads((ROOT / "docs" / "openapi.json").read_text())
        self._values = Values(self._document["components"]["schemas"], self.marks, self.known)

    def operations(self) -> list[tuple[str, str, Schema]]:
        """Method, path and description of every operation, those that end something last."""
        paths = self._document["paths"].items()
        found = [(method.upper(), path, ways[method]) for path, ways in paths for method in _METHODS if method in ways]
        return sorted(found, key=lambda each: any(last in each[1] for last in _LAST))

    def ask_everything(self, client: httpx.Client, people: list[Person]) -> None:
        """Every operation as everybody: honestly, with nothing but marks, and with one mark at a time in an honest body."""
        for method, path, described in self.operations():
            for person in people:
                self._ask(client, method, person, self._honest(method, path, described))
                self._ask(client, method, person, self._marked(method, path, described))
            for asked in self._one_by_one(method, path, described):
                self._ask(client, method, people[0], asked)

    def _honest(self, method: str, path: str, described: Schema) -> Asked:
        place = f"{method} {path}"
        values = {
            each["name"]: self._values.honest(each["schema"], each["name"], f"{place}?{each['name']}")
            for each in described.get("parameters", ())
            if each["in"] != "query" or each.get("required")
        }
        return self._asked(
            place, path, described, values, self._body(described, lambda schema: self._values.honest(schema, "", place))
        )

    def _marked(self, method: str, path: str, described: Schema) -> Asked:
        place = f"{method} {path}"
        values = {each["name"]: self.marks.new(f"{place}?{each['name']}") for each in described.get("parameters", ())}
        body = self._body(described, lambda schema: self._values.marked(schema, place))
        if isinstance(body, dict):
            # A field that the schema does not know may come from an older client.
            body = {**body, "unknown": self.marks.new(f"{place}, unknown field")}
        return self._asked(place, path, described, values, body)

    def _one_by_one(self, method: str, path: str, described: Schema) -> Iterator[Asked]:
        honest = self._honest(method, path, described)
        for leaf in leaves(honest.body) if honest.body is not None else []:
            mark = self.marks.new(f"{honest.operation}.{leaf}")
            yield Asked(honest.operation, honest.path, honest.headers, replaced(honest.body, leaf, mark))

    def _asked(self, place: str, path: str, described: Schema, values: dict[str, Any], body: object) -> Asked:
        by_place: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}, "cookie": {}}
        for each in described.get("parameters", ()):
            if each["name"] in values and each["name"].lower() not in _UNSENT:
                by_place[each["in"]][each["name"]] = str(values[each["name"]])
        filled = path.format_map({name: quote(value) for name, value in by_place["path"].items()})
        cookies = {"anything": self.marks.new(f"{place} cookie"), **by_place["cookie"]}
        headers = {
            "User-Agent": self.marks.new(f"{place} agent"),
            "Referer": f"https://bloom.example.test/{self.marks.new(f'{place} referer')}",
            "X-Request-Id": self.marks.new(f"{place} request id"),
            "Tracestate": f"bloom={self.marks.new(f'{place} tracestate')}",
            "Baggage": f"who={self.marks.new(f'{place} baggage')}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            **by_place["header"],
        }
        query = {**by_place["query"], "unknown": self.marks.new(f"{place} query")}
        return Asked(place, f"{filled}?{'&'.join(f'{name}={quote(value)}' for name, value in query.items())}", headers, body)

    def _body(self, described: Schema, make: Any) -> object:
        content = described.get("requestBody", {}).get("content", {})
        return make(content["application/json"]["schema"]) if "application/json" in content else None

    def _ask(self, client: httpx.Client, method: str, person: Person, asked: Asked) -> None:
        headers = {**person.headers, **asked.headers}
        if method in {"PUT", "PATCH"}:
            seen = client.get(asked.path.partition("?")[0], headers=person.headers)
            headers["If-Match"] = seen.headers.get("etag", '"1"')
        sent = {} if asked.body is None else {"json": asked.body}
        with client.stream(method, asked.path, headers=headers, **sent) as answer:
            self._judge(asked.operation, answer)
        if answer.status_code == 401 and person.headers:
            person.sign_in()

    def _judge(self, operation: str, answer: httpx.Response) -> None:
        if answer.is_success:
            self.accepted.add(operation)
            return
        (self.broken if answer.status_code >= 500 else self.refused).add(operation)
        text = answer.read().decode(errors="replace") + str(answer.headers)
        self.leaks |= self.marks.in_text(f"answer {answer.status_code} to {operation}", text)
