"""What lies in each service's database when its API is tried: a practice with two pairs of people, and another practice."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from tests.contract.live import Live, Person, ids

from bloom_events.appointments import AppointmentBooked, AppointmentCompleted, VisitType
from bloom_events.auth import Role, TherapistVerified
from bloom_events.envelope import wrap
from bloom_events.ids import AppointmentId, PatientId, TenantId, TherapistId, UserId, new_id

PASSWORD = "correct horse battery staple"
WEEK = [{"weekday": day, "opens": "09:00", "closes": "17:00"} for day in range(1, 8)]


@dataclass
class Visit:
    """One booked visit with the people in it."""

    patient: UUID
    therapist: UUID
    appointment: str
    note: str


def plant_appointments(live: Live) -> None:
    """Two visits in one tenant, between different people, and one in another tenant."""
    tenant, elsewhere = uuid4(), uuid4()
    mine, theirs, foreign = (
        _visit(live, tenant, "Dr. Own"),
        _visit(live, tenant, "Dr. Colleague"),
        _visit(live, elsewhere, "Dr. Elsewhere"),
    )
    known = {"therapist_id": [mine.therapist], "therapistId": [mine.therapist], **_times(live)}
    unknown = {"therapist_id": [foreign.therapist], "therapistId": [foreign.therapist]}
    for role, subject in (("PATIENT", mine.patient), ("THERAPIST", mine.therapist)):
        live.people[role] = Person(
            live.bearer(role, tenant, subject),
            own=ids(appointment_id=[mine.appointment], **known),
            foreign=ids(appointment_id=[theirs.appointment, foreign.appointment], **unknown),
            secrets=(theirs.appointment, foreign.appointment, str(theirs.patient), foreign.note),
        )
    live.people["ADMINISTRATOR"] = Person(
        live.bearer("ADMINISTRATOR", tenant, uuid4()),
        own=ids(appointment_id=[mine.appointment, theirs.appointment], **known),
        foreign=ids(appointment_id=[foreign.appointment], **unknown),
        secrets=(foreign.appointment, str(foreign.patient), foreign.note),
    )


def _times(live: Live) -> dict[str, list[str]]:
    """A range with free slots, and one of them."""
    day = live.clock().replace(hour=0, minute=0) + timedelta(days=3)
    slot = [(day + timedelta(hours=12, minutes=minutes)).isoformat() for minutes in (0, 50)]
    asked = {"from": [day.isoformat()], "to": [(day + timedelta(days=2)).isoformat()]}
    return {**asked, "startAt": slot[:1], "endAt": slot[1:], "visitType": ["standard"]}


def _visit(live: Live, tenant: UUID, name: str) -> Visit:
    from appointments.use_cases.accounts import welcome_therapist

    therapist, patient = uuid4(), uuid4()
    verified = TherapistVerified(user_id=UserId(therapist), display_name=name)
    told = wrap(verified, source="/bloom/auth", tenant_id=TenantId(tenant), time=live.clock(), correlation_id=uuid4())
    live.run(welcome_therapist(live.uow(tenant), told))
    as_therapist, as_patient = live.bearer("THERAPIST", tenant, therapist)(), live.bearer("PATIENT", tenant, patient)()
    for method, path, body in (("PATCH", "", {"acceptsNewPatients": True}), ("PUT", "/availability", {"hours": WEEK})):
        seen = live.ask("GET", f"/api/therapists/me{path}", as_therapist).headers["etag"]
        live.ask(method, f"/api/therapists/me{path}", {**as_therapist, "If-Match": seen}, json=body)
    starts = live.clock().replace(hour=10, minute=0) + timedelta(days=2)
    times = {"startAt": starts.isoformat(), "endAt": (starts + timedelta(minutes=50)).isoformat()}
    body = {"therapistId": str(therapist), "visitType": "standard", **times}
    booked = live.ask("POST", "/api/appointments", as_patient, json=body).json()["appointment"]["id"]
    return Visit(patient, therapist, booked, name)


def plant_invoices(live: Live) -> None:
    """An open invoice of each of two patients in one tenant, and one in another tenant."""
    tenant, elsewhere, patient = uuid4(), uuid4(), uuid4()
    mine, theirs, foreign = (_invoice(live, *whose) for whose in ((tenant, patient), (tenant, uuid4()), (elsewhere, uuid4())))
    for role, subject, own, others in (
        ("PATIENT", patient, [mine], [theirs, foreign]),
        ("THERAPIST", uuid4(), [], [mine, theirs, foreign]),
        ("ADMINISTRATOR", uuid4(), [mine, theirs], [foreign]),
    ):
        signed_in = live.bearer(role, tenant, subject)
        live.people[role] = Person(signed_in, ids(invoice_id=own), ids(invoice_id=others), secrets=tuple(others))


def _invoice(live: Live, tenant: UUID, patient: UUID) -> str:
    from billing.use_cases.terms import NewPrice, set_prices
    from billing.use_cases.visits import bill_visit

    administrator = live.bearer("ADMINISTRATOR", tenant, uuid4())()
    if not live.ask("GET", "/api/invoices/prices", administrator).json()["prices"]:
        prices = [NewPrice(visit_type, "EUR", 12_000, 1_900, None) for visit_type in VisitType]
        live.run(set_prices(live.uow(tenant), prices, seen=0, set_by=uuid4(), now=live.clock()))
    starts = live.clock() - timedelta(hours=3)
    visit = {
        "appointment_id": AppointmentId(new_id()), "patient_id": PatientId(patient), "therapist_id": TherapistId(uuid4()),
        "visit_type": VisitType.STANDARD, "starts_at": starts, "ends_at": starts + timedelta(minutes=50),
    }  # fmt: skip
    for event in (AppointmentBooked(revision=1, **visit), AppointmentCompleted(revision=2, completed_at=live.clock(), **visit)):
        told = wrap(event, source="/bloom/appointments", tenant_id=TenantId(tenant), time=live.clock(), correlation_id=uuid4())
        live.run(bill_visit(live.uow(tenant), told, now=live.clock()))
    listed = live.ask("GET", "/api/invoices", live.bearer("PATIENT", tenant, patient)()).json()["items"]
    return str(listed[0]["id"])


def plant_users(live: Live, tenants: dict[str, UUID]) -> None:
    """A person of each role in one tenant, another patient beside them, and a patient of another tenant."""
    home, elsewhere = tenants
    users = {role: _user(live, tenants[home], Role(role)) for role in ("PATIENT", "THERAPIST", "ADMINISTRATOR")}
    other, foreign = _user(live, tenants[home], Role.PATIENT), _user(live, tenants[elsewhere], Role.PATIENT)
    for role, (user, email) in users.items():
        mine, everybody = [user], [each for each, _ in (*users.values(), other) if each != user]
        is_administrator = role == "ADMINISTRATOR"
        others = [foreign] if is_administrator else [other, foreign]
        live.people[role] = Person(
            lambda email=email: _signed_in(live, email, home),
            own=ids(
                user_id=everybody if is_administrator else mine,
                email=[email],
                password=[PASSWORD],
                tenant=[home],
                current_password=[PASSWORD],
                new_password=[PASSWORD],
            ),
            foreign=ids(user_id=[each for each, _ in others]),
            secrets=tuple(text for each, mail in others for text in (str(each), mail)),
        )


def _user(live: Live, tenant: UUID, role: Role) -> tuple[UUID, str]:
    from auth.domain.users import EmailAddress, Profile
    from auth.use_cases.registration import Newcomer, hash_new_password, register

    email = f"person-{uuid4().hex[:12]}@example.test"
    tools = live.app.state.kit.resources["sign_in"]
    hashed = live.run(hash_new_password(tools.hashing, PASSWORD, email=EmailAddress(email)))
    profile = Profile(display_name="Dr. Robin Vale" if role is Role.THERAPIST else None)
    newcomer = Newcomer(email=EmailAddress(email), profile=profile, password_hash=hashed)
    user = live.run(register(live.uow(tenant), newcomer, role=role, now=live.clock()))
    return user.id, email


def _signed_in(live: Live, email: str, tenant: str) -> dict[str, str]:
    answer = live.ask("POST", "/api/auth/sign-in", {}, json={"email": email, "password": PASSWORD, "tenant": tenant}).json()
    return {"Authorization": f"Bearer {answer['access_token']}"}
