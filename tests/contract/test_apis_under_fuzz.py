"""Every operation, asked by three roles with sense and nonsense: no 5xx, true to its schema, nobody else's record.

`FUZZ_CASES` sets how many cases are tried per operation and role; more than the default makes the choice random.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import FailureGroup, not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.contract.live import ROLES, Live, Person

from tools.apps import service_names, unconnected_app

SHORT = 8
CASES = int(os.environ.get("FUZZ_CASES", SHORT))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TRIES = settings(
    max_examples=CASES,
    derandomize=CASES == SHORT,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def operations_of(service: str) -> list[APIOperation]:
    schema = schemathesis.openapi.from_dict(unconnected_app(service).openapi())
    return [found.ok() for found in schema.get_all_operations()]


OPERATIONS = [(service, operation) for service in service_names() for operation in operations_of(service)]


Named = Mapping[str, Sequence[str]]


def with_known(case: schemathesis.Case, named: Named, choose: Callable[[Sequence[str]], str]) -> schemathesis.Case | None:
    """The case with values that exist, by the names of its parameters and fields; None where it takes none of them."""
    other, takes = copy_of(case), False
    for place in (other.path_parameters, other.query, other.body):
        for name in [name for name in (place if isinstance(place, dict) else ()) if named.get(name)]:
            place[name], takes = choose(named[name]), True
    return other if takes or takes_revision(case) else None


def copy_of(case: schemathesis.Case) -> schemathesis.Case:
    """A case of its own, without the generator's notes, so that no token of ours is taken out of it again."""
    headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
    path, query = dict(case.path_parameters or {}), dict(case.query or {})
    body = dict(case.body) if isinstance(case.body, dict) else case.body
    return case.operation.Case(
        path_parameters=path, headers=headers, cookies=case.cookies, query=query, body=body, media_type=case.media_type
    )


def takes_revision(case: schemathesis.Case) -> bool:
    return any(parameter.name == "If-Match" for parameter in case.operation.headers)


def named_in(case: schemathesis.Case, named: Named) -> bool:
    """Whether one of these values stands in the case."""
    places = (case.path_parameters, case.body)
    return any(place.get(name) in values for place in places if isinstance(place, dict) for name, values in named.items())


def see_revision(live: Live, person: Person, case: schemathesis.Case) -> None:
    """Put the revision that the record has now into If-Match, where the operation takes one."""
    if takes_revision(case):
        path = case.formatted_path if case.method != "POST" else case.formatted_path.rpartition("/")[0]
        seen = requests.get(live.url + path, headers=person.headers, timeout=10).headers.get("etag")
        case.headers["If-Match"] = seen or '"1"'


def send(live: Live, person: Person, session: requests.Session, case: schemathesis.Case) -> schemathesis.Response:
    """Ask as this person, signed in anew where an earlier case has ended the session, and check the answer."""
    response = case.call(base_url=live.url, session=session, headers=person.headers)
    if response.status_code == 401:
        person.renew()
    case.validate_response(response, checks=CHECKS)
    if response.status_code < 300:
        leaked = [secret for secret in person.secrets if secret.encode() in response.content]
        assert not leaked, f"{case.method} {case.formatted_path} shows somebody else's record"
    return response


def shows_nothing(response: schemathesis.Response) -> bool:
    """Whether it is a refusal, or a page of which somebody else's id has left nothing."""
    return response.status_code >= 400 or response.json().get("items") == []


@pytest.mark.promise("AU13")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=lambda value: getattr(value, "label", value))
def test_an_operation_keeps_its_word_to_every_role(
    live_services: Callable[[str], Live], service: str, operation: APIOperation, role: str
):
    live = live_services(service)
    person = live.people[role]
    generated = st.one_of(operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    asked = 0

    with requests.Session() as session:

        @TRIES
        @given(case=generated, data=st.data())
        def ask(case: schemathesis.Case, data: Any) -> None:
            nonlocal asked
            asked += 1
            send(live, person, session, copy_of(case))
            if own := with_known(case, person.own, lambda known: data.draw(st.sampled_from(known))):
                see_revision(live, person, own)
                send(live, person, session, own)
            foreign = with_known(case, person.foreign, lambda known: data.draw(st.sampled_from(known)))
            if foreign and named_in(foreign, person.foreign):
                assert shows_nothing(send(live, person, session, foreign))

        ask()
    assert asked >= 1


@pytest.mark.promise("AU13")
@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=lambda value: getattr(value, "label", value))
def test_an_operation_that_needs_a_token_answers_nobody_without_one(
    live_services: Callable[[str], Live], service: str, operation: APIOperation
):
    live = live_services(service)
    path = operation.path.format_map(dict.fromkeys(_parameters(operation), "018f6f3e-0000-7000-8000-000000000000"))
    forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}

    statuses = {
        requests.request(operation.method, live.url + path, headers=headers, timeout=10).status_code for headers in ({}, forged)
    }

    needs_token = bool(operation.definition.raw.get("security"))
    assert (statuses == {401}) == needs_token or operation.path in {"/api/auth/refresh"}


def _parameters(operation: APIOperation) -> list[str]:
    return [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]


def test_the_checks_notice_a_planted_leak_and_a_planted_failure(live_services: Callable[[str], Live]):
    live = live_services("billing")
    person = live.people["PATIENT"]
    by_label = {operation.label: operation for _, operation in OPERATIONS}
    shown = by_label["GET /api/invoices/{invoice_id}"].Case(path_parameters={"invoice_id": person.own["invoice_id"][0]})
    blind = Person(person.sign_in, secrets=(person.own["invoice_id"][0],))
    lying = by_label["GET /api/invoices/totals"].Case()

    with requests.Session() as session:
        with pytest.raises(AssertionError, match="somebody else's record"):
            send(live, blind, session, shown)
        with pytest.raises(FailureGroup):
            lying.validate_response(shown.call(base_url=live.url, headers=person.headers), checks=CHECKS)
