"""People of a practice who use Bloom as browsers and apps do: through the gateway, with cookies, and with names of their own."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

from local_stack.stack import Stack

Found = TypeVar("Found")
ALWAYS = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]
PRICES = [
    {"visitType": kind, "currency": "EUR", "netMinor": net, "taxBasisPoints": 1_900}
    for kind, net in (("initial", 12_000), ("standard", 9_500), ("extended", 14_000))
]


def eventually(ask: Callable[[], Found], *, limit_seconds: float = 40.0) -> Found:
    """Ask again until the answer is a true one; an answer that never is fails the test with the last one."""
    deadline = time.monotonic() + limit_seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, f"not so after {limit_seconds:.0f} s: {found!r}"
        time.sleep(0.05)
    return found


@dataclass
class Person:
    """Somebody with a browser. `private` collects what must show in no log."""

    url: str
    tenant: str
    email: str
    password: str
    private: set[str]
    id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, **more: str) -> httpx.Response:
        """Send a request with what the browser holds; `more` are further headers, written with underscores."""
        given = {name.replace("_", "-"): value for name, value in more.items()}
        content = {} if body is None else {"json": body}
        return self._send(method, path, headers={**self.headers, **given}, **content)

    def send(self, method: str, path: str, content: bytes, **more: str) -> httpx.Response:
        """Send a JSON body as it is, however broken."""
        given = {name.replace("_", "-"): value for name, value in more.items()}
        headers = {"Content-Type": "application/json", **self.headers, **given}
        return self._send(method, path, headers=headers, content=content)

    def get(self, path: str) -> Any:
        """GET that has to succeed."""
        return self.must("GET", path)

    def post(self, path: str, body: object = None) -> Any:
        """POST that has to succeed."""
        return self.must("POST", path, body)

    def must(self, method: str, path: str, body: object = None, **more: str) -> Any:
        """A request that has to succeed; gives the JSON that was answered."""
        answer = self._signed_in(method, path, body, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def _signed_in(self, method: str, path: str, body: object = None, **more: str) -> httpx.Response:
        """Ask, and once more after signing in again: an access token lasts for minutes, and all these stories may take longer."""
        answer = self.ask(method, path, body, **more)
        if answer.status_code == 401 and self.headers and self.sign_in().is_success:
            return self.ask(method, path, body, **more)
        return answer

    def change(self, method: str, path: str, body: object) -> Any:
        """PUT or PATCH with the ETag of what is there now."""
        return self.must(method, path, body, If_Match=self._signed_in("GET", path).headers["etag"])

    def register(self, role: str, **more: str) -> Any:
        """Sign up; does not sign in."""
        login = {"email": self.email, "password": self.password, "tenant": self.tenant}
        user = self.post("/api/auth/register", {**login, "role": role, **more})
        self.id = user["id"]
        return user

    def sign_in(self) -> httpx.Response:
        """Sign in and keep token and cookies."""
        login = {"email": self.email, "password": self.password, "tenant": self.tenant}
        return self._keep(self.ask("POST", "/api/auth/sign-in", login))

    def refresh(self, *, cookie: str | None = None, csrf: str | None = None) -> httpx.Response:
        """Ask for the next tokens with the browser's cookie and CSRF token, or with these ones."""
        cookie, csrf = cookie or self.cookies["bloom_refresh"], csrf or self.cookies["bloom_csrf"]
        headers = {"Cookie": f"bloom_refresh={cookie}", "X-CSRF-Token": csrf}
        return self._keep(self._send("POST", "/api/auth/refresh", headers=headers))

    def forget(self) -> "Person":
        """The same person at another device, where nobody is signed in."""
        return Person(self.url, self.tenant, self.email, self.password, self.private, self.id)

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            told = answer.json()
            self.id = told["user"]["id"]
            self.headers = {"Authorization": f"Bearer {told['access_token']}"}
            self.cookies = dict(answer.cookies)
            self.private |= {told["access_token"], *self.cookies.values()}
        return answer

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=30, trust_env=False, **given)


@dataclass
class Practice:
    """A tenant of a running platform, with its administrator."""

    stack: Stack
    tenant: str
    administrator: Person
    private: set[str]

    @classmethod
    def opened(cls, stack: Stack, private: set[str]) -> "Practice":
        """A new tenant with an administrator, prices and terms, made as an operator makes one."""
        tenant = f"practice-{secrets.token_hex(4)}"
        administrator = _newcomer(stack, tenant, private)
        _command(stack, "create-tenant", "--slug", tenant, "--name", "Practice of the tests")
        admin = ("--tenant", tenant, "--email", administrator.email)
        _command(stack, "create-administrator", *admin, typed=administrator.password)
        assert administrator.sign_in().status_code == 200
        administrator.change("PUT", "/api/invoices/prices", {"prices": PRICES})
        return cls(stack, tenant, administrator, private)

    def newcomer(self) -> Person:
        """Somebody who has not signed up yet."""
        return _newcomer(self.stack, self.tenant, self.private)

    def patient(self) -> Person:
        """A patient who is signed in."""
        patient = self.newcomer()
        patient.register("PATIENT")
        assert patient.sign_in().status_code == 200
        return patient

    def therapist(self, name: str = "Dr. Robin Vale", *, hours: object = ALWAYS) -> Person:
        """A therapist by invitation who takes new patients at these hours (UTC), in slots of five minutes."""
        therapist = self.newcomer()
        invitation = self.administrator.post("/api/auth/invitations", {"email": therapist.email})["token"]
        self.private.add(invitation)
        therapist.register("THERAPIST", displayName=name, invitationToken=invitation)
        assert therapist.sign_in().status_code == 200
        in_directory(therapist)
        open_calendar(therapist, hours)
        return therapist

    def private_name(self) -> str:
        """A patient's name that nobody else has."""
        name = f"Quillon Private{secrets.token_hex(4)}"
        self.private.add(name)
        return name


@dataclass
class Visit:
    """A booked visit and the two people in it."""

    practice: Practice
    patient: Person
    therapist: Person
    appointment_id: str
    starts_at: datetime


def in_directory(therapist: Person) -> Any:
    """Wait until the appointments service has heard of the therapist; gives the profile."""
    return eventually(lambda: _if_there(therapist.ask("GET", "/api/therapists/me")))


def open_calendar(therapist: Person, hours: object = ALWAYS, *, zone: str = "UTC") -> None:
    """Take new patients at these weekly hours."""
    profile = {"timeZone": zone, "slotMinutes": 5, "bufferBeforeMinutes": 0, "bufferAfterMinutes": 0}
    therapist.change("PATCH", "/api/therapists/me", {**profile, "acceptsNewPatients": True})
    therapist.change("PUT", "/api/therapists/me/availability", {"hours": hours})


def free_slots(person: Person, therapist: Person, *, starts: datetime, hours: float = 1) -> list[dict[str, str]]:
    """The free slots of a therapist from a moment on."""
    until = starts + timedelta(hours=hours)
    path = f"/api/therapists/{therapist.id}/slots?from={starts:%Y-%m-%dT%H:%M:%SZ}&to={until:%Y-%m-%dT%H:%M:%SZ}"
    slots: list[dict[str, str]] = person.get(path)["items"]
    return slots


def booking_of(therapist: Person, slot: dict[str, str]) -> dict[str, str]:
    """The body that books a slot."""
    return {"therapistId": therapist.id, "startAt": slot["startAt"], "endAt": slot["endAt"], "visitType": "standard"}


def book(patient: Person, therapist: Person, **headers: str) -> Any:
    """Book the first slot that is free from tomorrow on; gives the appointment."""
    (slot, *_) = free_slots(patient, therapist, starts=datetime.now(UTC) + timedelta(days=1))
    return patient.must("POST", "/api/appointments", booking_of(therapist, slot), **headers)["appointment"]


def invoice_of(person: Person, appointment_id: str) -> Any:
    """The invoice of a visit, or None while there is none."""
    listed = person.get("/api/invoices?limit=100")["items"]
    return next((each for each in listed if each["appointmentId"] == appointment_id), None)


def soon(now: datetime) -> tuple[str, datetime, list[dict[str, object]]]:
    """The next full minute that leaves time to book, a zone where it is far from midnight, and weekly hours that open then."""
    starts = (now + timedelta(seconds=12)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    zone = "UTC" if 1 <= now.hour < 22 else "Asia/Tokyo"
    local = starts.astimezone(ZoneInfo(zone))
    closes = local + timedelta(minutes=5)
    return zone, starts, [{"weekday": local.isoweekday(), "opens": f"{local:%H:%M}", "closes": f"{closes:%H:%M}"}]


def slug(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem of an answer that has to be a problem document."""
    assert answer.headers.get("content-type") == "application/problem+json", f"{answer.status_code} {answer.text}"
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


def _if_there(answer: httpx.Response) -> Any:
    return answer.json() if answer.status_code == 200 else None


def _newcomer(stack: Stack, tenant: str, private: set[str]) -> Person:
    email, password = f"somebody-{uuid4().hex}@example.test", f"seven green bottles {secrets.token_hex(6)}"
    private |= {email, password}
    return Person(stack.gateway.url, tenant, email, password, private)


def _command(stack: Stack, *arguments: str, typed: str = "") -> None:
    variables = {**os.environ, **stack.surroundings.of("auth", arguments[0], port=0)}
    command = [sys.executable, "-m", "auth", *arguments]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, env=variables, check=False)
    assert done.returncode == 0, done.stderr
