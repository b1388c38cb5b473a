"""People: how they come to be, what changes them, and what is refused."""

from datetime import UTC, datetime

import pytest

from auth.domain.outcomes import AlreadySuspended, NotPendingVerification, NotSuspended, OwnAccount
from auth.domain.users import Profile, User, UserStatus, is_locale, is_time_zone, normalise_email
from bloom_events.auth import Role, TherapistVerified, UserProfileChanged, UserRegistered, UserReinstated, UserSuspended
from bloom_events.ids import UserId, new_id

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
ADMINISTRATOR = UserId(new_id())


def registered(role: Role = Role.PATIENT) -> User:
    profile = Profile(display_name="Dr. Robin Vale")
    email = normalise_email("robin@example.test")
    return User.register(user_id=UserId(new_id()), email=email, role=role, profile=profile, now=NOW)[0]


@pytest.mark.promise("AU5")
@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.PATIENT, "active"), (Role.ADMINISTRATOR, "active"), (Role.THERAPIST, "pending_verification")],
)
def test_only_therapists_wait_for_verification(role, status):
    user_id = UserId(new_id())
    user, event = User.register(user_id=user_id, email=normalise_email("A@example.test"), role=role, profile=Profile(), now=NOW)

    assert (user.status, user.revision, user.email) == (status, 1, "a@example.test")
    assert event == UserRegistered(user_id=user_id, role=role, status=status)


def test_an_invited_therapist_is_registered_and_verified_in_one_step():
    profile = Profile(display_name="Dr. Robin Vale")
    user, events = User.register_invited_therapist(
        user_id=UserId(new_id()), email=normalise_email("robin@example.test"), profile=profile, now=NOW
    )

    assert (user.status, user.verified_at) == (UserStatus.ACTIVE, NOW)
    assert events == (
        UserRegistered(user_id=user.id, role=Role.THERAPIST, status="active"),
        TherapistVerified(user_id=user.id, display_name="Dr. Robin Vale"),
    )


@pytest.mark.promise("PL6")
def test_a_therapist_is_verified_once():
    verified, event = registered(Role.THERAPIST).verify(now=NOW)

    assert (verified.status, verified.verified_at, verified.revision) == (UserStatus.ACTIVE, NOW, 2)
    assert event == TherapistVerified(user_id=verified.id, display_name="Dr. Robin Vale")
    with pytest.raises(NotPendingVerification):
        verified.verify(now=NOW)


def test_a_suspended_user_cannot_sign_in_until_reinstated():
    user = registered()
    suspended, stopped = user.suspend(by=ADMINISTRATOR)
    back, reinstated = suspended.reinstate()

    assert [one.can_sign_in for one in (user, suspended, back)] == [True, False, True]
    assert stopped == UserSuspended(user_id=user.id, role=Role.PATIENT)
    assert reinstated == UserReinstated(user_id=user.id, role=Role.PATIENT)
    assert back.revision == 3
    with pytest.raises(AlreadySuspended):
        suspended.suspend(by=ADMINISTRATOR)
    with pytest.raises(NotSuspended):
        back.reinstate()


def test_a_reinstated_therapist_stands_where_they_stood():
    waiting = registered(Role.THERAPIST)
    verified, _ = waiting.verify(now=NOW)

    stands = [one.suspend(by=ADMINISTRATOR)[0].reinstate()[0].status for one in (waiting, verified)]

    assert stands == [UserStatus.PENDING_VERIFICATION, UserStatus.ACTIVE]


def test_a_suspended_therapist_cannot_be_verified():
    with pytest.raises(NotPendingVerification):
        registered(Role.THERAPIST).suspend(by=ADMINISTRATOR)[0].verify(now=NOW)


def test_nobody_suspends_themselves():
    user = registered(Role.ADMINISTRATOR)
    with pytest.raises(OwnAccount):
        user.suspend(by=user.id)


@pytest.mark.promise("US1")
def test_a_profile_is_complete_when_all_of_it_is_known():
    user = registered()
    profile = Profile(display_name="Robin", locale="en", time_zone="Europe/Vienna")

    changed, event = user.change_profile(profile)

    assert (user.profile.is_complete, changed.profile.is_complete, changed.revision) == (False, True, 2)
    assert event == UserProfileChanged(user_id=user.id, revision=2)
    assert changed.change_profile(profile) == (changed, None)


@pytest.mark.parametrize(
    ("name", "known"),
    [("Europe/Vienna", True), ("UTC", True), ("America/Argentina/Buenos_Aires", True), ("europe/vienna", False), ("", False),
     ("../etc/passwd", False), ("localtime", False), ("Europe/Vienna\n", False)],
)  # fmt: skip
def test_time_zones_are_those_of_the_iana_database(name, known):
    assert is_time_zone(name) is known


@pytest.mark.parametrize(
    ("tag", "fits"),
    [("en", True), ("de-AT", True), ("zh-Hant-TW", True), ("es-419", True), ("EN", False), ("en_GB", False), ("en-gb", False),
     ("english", False), ("en\n", False)],
)  # fmt: skip
def test_locales_are_language_tags(tag, fits):
    assert is_locale(tag) is fits


def test_a_user_never_shows_a_password():
    assert "password" not in repr(registered()).lower()
