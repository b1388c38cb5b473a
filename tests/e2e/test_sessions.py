"""Sessions through the gateway: cookies, rotation, reuse, the way out."""

import httpx
import pytest
from tests.e2e.people import Practice, slug


@pytest.mark.promise("AU10")
@pytest.mark.promise("AU3")
def test_signing_in_sets_a_cookie_that_pages_cannot_read_and_that_goes_to_auth_alone(practice: Practice) -> None:
    answer = practice.patient().sign_in()
    refresh, csrf = (
        next(each for each in answer.headers.get_list("set-cookie") if each.startswith(name))
        for name in ("bloom_refresh=", "bloom_csrf=")
    )
    assert all(attribute in refresh for attribute in ("HttpOnly", "SameSite=strict", "Path=/api/auth"))
    assert "HttpOnly" not in csrf
    assert "SameSite=strict" in csrf


@pytest.mark.promise("AU10")
@pytest.mark.promise("AU14")
def test_a_refresh_rotates_the_tokens_and_an_older_one_ends_the_session(practice: Practice) -> None:
    patient = practice.patient()
    first, access = dict(patient.cookies), patient.headers
    assert patient.refresh().status_code == 200
    assert patient.refresh().status_code == 200
    assert patient.cookies["bloom_refresh"] != first["bloom_refresh"]
    assert patient.headers != access

    current = dict(patient.cookies)
    stolen = patient.forget().refresh(cookie=first["bloom_refresh"], csrf=first["bloom_csrf"])
    assert slug(stolen) == (401, "session-ended")
    assert slug(patient.refresh(cookie=current["bloom_refresh"], csrf=current["bloom_csrf"])) == (401, "session-ended")
    assert patient.ask("GET", "/api/users/me").status_code == 401


@pytest.mark.promise("AU11")
@pytest.mark.parametrize("proof", [{}, {"X-CSRF-Token": "guessed"}])
def test_the_cookie_alone_refreshes_nothing(practice: Practice, proof: dict[str, str]) -> None:
    patient = practice.patient()
    cookie = {"Cookie": f"bloom_refresh={patient.cookies['bloom_refresh']}"}
    answer = httpx.post(f"{patient.url}/api/auth/refresh", headers={**cookie, **proof}, timeout=30)
    assert answer.status_code == 403
    assert patient.refresh().status_code == 200


@pytest.mark.promise("AU11")
def test_a_page_of_another_site_can_neither_sign_in_nor_refresh(practice: Practice) -> None:
    patient = practice.patient()
    login = {"email": patient.email, "password": patient.password, "tenant": patient.tenant}
    foreign = {"Origin": "https://elsewhere.example.test"}
    held = {"Cookie": f"bloom_refresh={patient.cookies['bloom_refresh']}", "X-CSRF-Token": patient.cookies["bloom_csrf"]}
    answers = [
        httpx.post(f"{patient.url}/api/auth/sign-in", json=login, headers=foreign, timeout=30),
        httpx.post(f"{patient.url}/api/auth/refresh", headers={**held, **foreign}, timeout=30),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)


@pytest.mark.promise("AU10")
def test_signing_out_everywhere_ends_the_sessions_of_all_devices_and_of_nobody_else(practice: Practice) -> None:
    phone, bystander = practice.patient(), practice.patient()
    laptop = phone.forget()
    laptop.sign_in()

    assert phone.post("/api/auth/sign-out-everywhere")["ended"] == 2
    assert [device.refresh().status_code for device in (phone, laptop)] == [401, 401]
    assert [device.ask("GET", "/api/users/me").status_code for device in (phone, laptop)] == [401, 401]
    assert bystander.refresh().status_code == 200
    assert phone.sign_in().status_code == 200


def test_unknown_people_and_wrong_passwords_get_the_same_answer(practice: Practice) -> None:
    patient, stranger = practice.patient(), practice.newcomer()
    patient.password = "not the right one at all"
    answers = [patient.forget().sign_in(), stranger.sign_in()]
    assert {slug(answer) for answer in answers} == {(401, "invalid-credentials")}
    bodies = [
        {name: value for name, value in answer.json().items() if name not in {"instance", "trace_id"}} for answer in answers
    ]
    assert bodies[0] == bodies[1]
