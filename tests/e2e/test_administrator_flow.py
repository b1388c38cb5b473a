"""What administrators do: count, list, suspend, reinstate."""

import pytest
from tests.e2e.people import Practice, eventually, slug


@pytest.mark.promise("PL7")
@pytest.mark.promise("US6")
def test_an_administrator_counts_and_lists_the_users_of_the_practice(practice: Practice) -> None:
    admin = practice.administrator
    before = admin.get("/api/users/counts")
    patient = practice.patient()
    after = admin.get("/api/users/counts")

    assert after["total"] == before["total"] + 1
    assert after["byRole"]["PATIENT"] == before["byRole"]["PATIENT"] + 1
    assert after["createdLast7Days"] == before["createdLast7Days"] + 1
    assert after["activeSessions"] == before["activeSessions"] + 1
    newest = admin.get("/api/users?role=PATIENT&limit=1")
    assert [user["id"] for user in newest["items"]] == [patient.id]
    assert newest["nextCursor"] or before["byRole"]["PATIENT"] == 0


@pytest.mark.promise("PL7")
@pytest.mark.promise("AU13")
def test_a_suspended_therapist_leaves_the_directory_and_every_session_and_comes_back_when_reinstated(practice: Practice) -> None:
    admin, patient, therapist = practice.administrator, practice.patient(), practice.therapist("Dr. Out Soon")
    profile = f"/api/therapists/{therapist.id}"
    assert patient.get(profile)["displayName"] == "Dr. Out Soon"

    assert admin.post(f"/api/users/{therapist.id}/suspend")["status"] == "suspended"
    eventually(lambda: patient.ask("GET", profile).status_code == 404)
    assert therapist.id not in {each["id"] for each in patient.get("/api/therapists?limit=100")["items"]}
    assert slug(therapist.forget().sign_in())[0] == 401
    assert therapist.refresh().status_code == 401
    assert therapist.ask("GET", "/api/users/me").status_code == 401

    assert admin.post(f"/api/users/{therapist.id}/reinstate")["status"] == "active"
    eventually(lambda: patient.ask("GET", profile).status_code == 200)
    assert therapist.sign_in().status_code == 200


@pytest.mark.promise("AU13")
@pytest.mark.parametrize("role", ["patient", "therapist"])
def test_only_administrators_manage_users_prices_and_payments(practice: Practice, role: str) -> None:
    person = practice.patient() if role == "patient" else practice.therapist()
    other = practice.patient()
    asked = {
        (method, path): person.ask(method, path, body, If_Match='"1"').status_code
        for method, path, body in (
            ("GET", "/api/users", None),
            ("GET", "/api/users/counts", None),
            ("GET", f"/api/users/{other.id}", None),
            ("POST", f"/api/users/{other.id}/suspend", None),
            ("POST", f"/api/users/{person.id}/verify", None),
            ("POST", "/api/auth/invitations", {"email": "robin@example.test"}),
            ("GET", "/api/invoices/totals", None),
            ("PUT", "/api/invoices/prices", {"prices": []}),
            ("PUT", "/api/invoices/policy", None),
        )
    }
    assert set(asked.values()) == {403}, asked
    assert other.get("/api/users/me")["status"] == "active"


def test_an_administrator_cannot_lock_the_own_account(practice: Practice) -> None:
    answer = practice.administrator.ask("POST", f"/api/users/{practice.administrator.id}/suspend")
    assert answer.status_code == 409
    assert practice.administrator.get("/api/users/me")["status"] == "active"
