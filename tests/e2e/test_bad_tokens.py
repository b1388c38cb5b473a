"""Tokens that are not what they claim to be: refused alike by the gateway and by each service behind it."""

from collections.abc import Iterator

import httpx
import pytest
from tests.e2e.people import Person, Practice, slug
from tests.e2e.tokens import forgeries, hours_ago, signed_by_the_platform

# One route of each service that every role may use, so that only the token decides.
ROUTES = {"auth-api": "/api/users/me", "appointments-api": "/api/appointments", "billing-api": "/api/invoices"}


@pytest.fixture(scope="module")
def patient(practice: Practice) -> Person:
    return practice.patient()


def answers(practice: Practice, token: str) -> Iterator[httpx.Response]:
    """What the gateway and the services themselves say to somebody with this token."""
    for service, path in ROUTES.items():
        for address in (practice.stack.gateway.address, practice.stack.services[service].address):
            yield httpx.get(f"http://{address}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.mark.promise("AU14")
@pytest.mark.promise("SE5")
def test_a_forged_token_is_refused_by_the_gateway_and_by_every_service(practice: Practice, patient: Person) -> None:
    token = patient.headers["Authorization"].removeprefix("Bearer ")
    jwks = httpx.get(f"{patient.url}/.well-known/jwks.json", timeout=30).json()
    for name, forged in forgeries(token, jwks).items():
        assert {slug(answer) for answer in answers(practice, forged)} == {(401, "unauthorized")}, name
    assert {answer.status_code for answer in answers(practice, token)} == {200}


@pytest.mark.promise("AU14")
@pytest.mark.parametrize(
    ("issued_hours_ago", "claims"),
    [(1, {}), (-1, {}), (0, {"issuer": "https://elsewhere.example.test"}), (0, {"audience": "somebody-else"})],
)
def test_a_token_of_our_own_key_for_another_time_issuer_or_audience_is_refused(
    practice: Practice, patient: Person, issued_hours_ago: float, claims: dict[str, str]
) -> None:
    like = patient.headers["Authorization"].removeprefix("Bearer ")
    now = signed_by_the_platform(practice.stack, like, issued_at=hours_ago(0))
    assert {answer.status_code for answer in answers(practice, now)} == {200}

    other = signed_by_the_platform(practice.stack, like, issued_at=hours_ago(issued_hours_ago), **claims)
    assert {slug(answer) for answer in answers(practice, other)} == {(401, "unauthorized")}


def test_a_role_in_a_header_or_in_the_address_gives_nothing(practice: Practice, patient: Person) -> None:
    claims = {"X_Role": "ADMINISTRATOR", "X_Tenant": "other", "X_User_Id": practice.administrator.id}
    assert patient.ask("GET", "/api/users", **claims).status_code == 403
    assert patient.ask("GET", "/api/users?role=ADMINISTRATOR").status_code == 403
    assert patient.ask("GET", "/api/users/me", **claims).json()["id"] == patient.id
    token = patient.headers["Authorization"].removeprefix("Bearer ")
    assert httpx.get(f"{patient.url}/api/users/me?access_token={token}", timeout=30).status_code == 401
