"""The demo tenant: an administrator, a therapist who can be booked, two who are called after one, a patient, prices, a chain.

All of it is made through commands and API.

Every part is made only where it is missing, so that a seed that was cut off is completed by the next start.
"""

import os
import subprocess
import sys
from dataclasses import dataclass

from local_stack.api import Api
from local_stack.errors import StackError
from local_stack.process import wait_until
from local_stack.secret_files import secret
from local_stack.stack import DEMO_TENANT, Stack

PRICES = [
    {"visitType": "initial", "currency": "EUR", "netMinor": 12_000, "taxBasisPoints": 1_900},
    {"visitType": "standard", "currency": "EUR", "netMinor": 9_500, "taxBasisPoints": 1_900},
    {"visitType": "extended", "currency": "EUR", "netMinor": 14_000, "taxBasisPoints": 1_900},
]
POLICY = {
    "lateWindowHours": 24,
    "latePercent": 50,
    "noShowPercent": 100,
    "paymentTermDays": 14,
    "issuerName": "Bloom Demo Practice",
}
PROFILE = {
    "displayName": "Dr. Robin Vale",
    "acceptsNewPatients": True,
    "timeZone": "Europe/Berlin",
    "slotMinutes": 50,
    "bufferBeforeMinutes": 0,
    "bufferAfterMinutes": 10,
    "languages": ["de", "en"],
    "specialties": ["anxiety", "sleep"],
}
WEEK = [
    {"weekday": day, "opens": opens, "closes": closes}
    for day in range(1, 6)
    for opens, closes in (("09:00", "12:00"), ("13:00", "17:00"))
]


# Who is called when a patient's own therapist does not answer: a step of the chain each.
STAND_INS = {"supervisor": "Dr. Sam Okoro", "on-call": "Dr. Toni Brandt"}
_DEADLINES = {"moderate": 900, "high": 300, "critical": 120}
CHAIN_DEADLINES = dict.fromkeys(("therapist", "supervisor", "onCall"), _DEADLINES)
# What the mark of a finished seed says; a tenant of an older one is completed.
_PARTS = "2"


@dataclass(frozen=True)
class Login:
    """What somebody of the demo tenant signs in with."""

    role: str
    email: str
    password: str


def logins(stack: Stack) -> dict[str, Login]:
    """The people of the demo tenant; their passwords are made at the first start."""
    return {
        role: Login(role, f"{role}@demo.example.test", secret(stack.secrets, f"demo-{role}"))
        for role in ("administrator", "therapist", *STAND_INS, "patient")
    }


def demo_person(stack: Stack, role: str) -> Api:
    """The API as one of the demo tenant's people."""
    return _as(stack, logins(stack)[role])


def seed(stack: Stack) -> str:
    """Make what the demo tenant lacks; says in a sentence what came of it."""
    done = stack.folder / "data" / "seeded"
    if done.exists() and done.read_text() == _PARTS:
        return "The demo tenant is as you left it."
    people = logins(stack)
    _make_tenant(stack, people["administrator"])
    admin = demo_person(stack, "administrator")
    _set_prices(admin)
    therapist = _make_therapist(stack, admin, people["therapist"], name=str(PROFILE["displayName"]))
    _open_hours(therapist)
    _register(stack, people["patient"], {"role": "PATIENT", "displayName": "Alex Demo"})
    _set_chain(admin, {role: _make_stand_in(stack, admin, people[role], name) for role, name in STAND_INS.items()})
    done.write_text(_PARTS)
    return "A demo tenant was made."


def print_logins(stack: Stack) -> None:
    """Who can sign in, and where everything answers."""
    print(f"\n  gateway    {stack.gateway.url}   API pages {stack.gateway.url}/docs")
    print(f"  sockets    {stack.gateway.url}/socket.io   mail {stack.mail.url}   files {stack.objects.url}")
    print(f"  PostgreSQL {stack.postgres.address}   Kafka {stack.kafka.bootstrap}   Valkey {stack.valkey.address}")
    print(f"  passwords  {stack.secrets}")
    for login in logins(stack).values():
        print(f"  {login.role:<14} {login.email:<36} {login.password}   (tenant {DEMO_TENANT})")
    print()


def wait_for_directory(therapist: Api, *, limit_seconds: float = 30.0) -> None:
    """Wait until the appointments service has heard of the therapist's verification."""
    if not wait_until(lambda: therapist.ask("GET", "/api/therapists/me").status == 200, limit_seconds, pause=0.1):
        raise StackError("seed", "the therapist's verification did not reach the appointments service; see its worker's log")


def _make_tenant(stack: Stack, login: Login) -> None:
    _auth_command(stack, "create-tenant", "--slug", DEMO_TENANT, "--name", "Bloom Demo", fine="taken")
    email = ("--email", login.email)
    _auth_command(stack, "create-administrator", "--tenant", DEMO_TENANT, *email, fine="registered", typed=login.password)


def _auth_command(stack: Stack, *arguments: str, fine: str, typed: str = "") -> None:
    """Run an administration command of auth; that it was done before is fine."""
    variables = stack.surroundings.of("auth", arguments[0], port=0)
    command = [sys.executable, "-m", "auth", *arguments]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, env={**os.environ, **variables}, check=False)
    if done.returncode != 0 and fine not in done.stderr:
        raise StackError("seed", f"auth {arguments[0]} failed: {done.stderr or done.stdout}", stack.logs / "auth-api.log")


def _set_prices(admin: Api) -> None:
    if not admin.get("/api/invoices/prices").body["prices"]:
        admin.change("PUT", "/api/invoices/prices", {"prices": PRICES})
        admin.change("PUT", "/api/invoices/policy", POLICY)


def _make_therapist(stack: Stack, admin: Api, login: Login, *, name: str) -> Api:
    if Api(stack.gateway.url).ask("POST", "/api/auth/sign-in", _credentials(login)).status != 200:
        invitation = admin.post("/api/auth/invitations", {"email": login.email}).body["token"]
        body = {"role": "THERAPIST", "displayName": name, "invitationToken": invitation}
        _register(stack, login, body)
    therapist = _as(stack, login)
    wait_for_directory(therapist)
    return therapist


def _make_stand_in(stack: Stack, admin: Api, login: Login, name: str) -> str:
    """A therapist who takes no patients; gives the id."""
    therapist = _make_therapist(stack, admin, login, name=name)
    return str(therapist.get("/api/users/me").body["id"])


def _set_chain(admin: Api, stand_ins: dict[str, str], *, limit_seconds: float = 30.0) -> None:
    """Say who is called when a therapist does not answer, once notifications has heard of them."""
    chain = {"supervisors": [stand_ins["supervisor"]], "onCall": [stand_ins["on-call"]], "deadlines": CHAIN_DEADLINES}
    found = admin.get("/api/alerts/chain")
    if found.body["revision"]:
        return
    headers = {"if-match": found.etag}
    if not wait_until(
        lambda: admin.ask("PUT", "/api/alerts/chain", chain, headers=headers).status == 200, limit_seconds, pause=0.1
    ):
        raise StackError("seed", "the chain of those who are called could not be set; see the log of notifications-worker")


def _open_hours(therapist: Api) -> None:
    if not therapist.get("/api/therapists/me/availability").body["hours"]:
        therapist.change("PUT", "/api/therapists/me", PROFILE)
        therapist.change("PUT", "/api/therapists/me/availability", {"hours": WEEK})


def _register(stack: Stack, login: Login, body: dict[str, object]) -> None:
    answer = Api(stack.gateway.url).ask("POST", "/api/auth/register", {**body, **_credentials(login)})
    if answer.status not in {201, 409}:
        raise StackError(
            "seed", f"registering the {login.role} was answered {answer.status} {answer.problem}", stack.logs / "auth-api.log"
        )


def _as(stack: Stack, login: Login) -> Api:
    return Api(stack.gateway.url, logs=stack.logs).signed_in(email=login.email, password=login.password, tenant=DEMO_TENANT)


def _credentials(login: Login) -> dict[str, str]:
    return {"email": login.email, "password": login.password, "tenant": DEMO_TENANT}
