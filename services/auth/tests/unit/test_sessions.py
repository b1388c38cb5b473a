"""Sessions: an owner with several tabs, a thief with copies, and time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule, run_state_machine_as_test

from auth.domain.outcomes import RefreshRefused
from auth.domain.sessions import RevocationReason, Session, SessionPolicy, revoke_all
from bloom_events.auth import Role, SessionStarted
from bloom_events.ids import SessionId, UserId, new_id

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
POLICY = SessionPolicy(idle=timedelta(hours=4), absolute=timedelta(hours=10), grace=timedelta(seconds=10))


def started(now: datetime = NOW) -> Session:
    session, _ = Session.start(
        session_id=SessionId(new_id()), user_id=UserId(new_id()), role=Role.PATIENT, seed=b"s" * 32, policy=POLICY, now=now
    )
    return session


@pytest.mark.promise("AU9")
def test_a_session_starts_live_and_says_when_it_ends():
    session, event = Session.start(
        session_id=SessionId(new_id()), user_id=UserId(new_id()), role=Role.PATIENT, seed=b"s" * 32, policy=POLICY, now=NOW
    )

    assert session.is_live(NOW)
    assert session.expires_at == NOW + timedelta(hours=4)
    assert not session.is_live(session.expires_at)
    assert event == SessionStarted(
        session_id=session.id, user_id=session.user_id, role=Role.PATIENT, expires_at=session.expires_at
    )


def test_use_prolongs_a_session_up_to_its_absolute_end():
    session = started()
    for hours in (3, 6, 9):
        session, _ = session.refresh(presented=session.generation, policy=POLICY, now=NOW + timedelta(hours=hours))

    assert (session.generation, session.expires_at) == (4, NOW + timedelta(hours=10))


def test_a_session_without_idle_time_left_is_refused():
    with pytest.raises(RefreshRefused):
        started().refresh(presented=1, policy=POLICY, now=NOW + timedelta(hours=4))


@pytest.mark.parametrize(("seconds", "ends"), [(0, False), (10, False), (10.001, True)])
def test_the_last_but_one_token_is_good_within_the_grace(seconds, ends):
    session, _ = started().refresh(presented=1, policy=POLICY, now=NOW)

    after, revoked = session.refresh(presented=1, policy=POLICY, now=NOW + timedelta(seconds=seconds))

    assert (revoked is not None, after.is_live(NOW)) == (ends, not ends)
    assert after.generation == 2


def test_a_token_from_the_future_ends_the_session_too():
    _, revoked = started().refresh(presented=7, policy=POLICY, now=NOW)

    assert revoked is not None
    assert revoked.reason == "reuse_detected"


def test_all_sessions_end_with_one_event_each():
    sessions = [started() for _ in range(3)]

    ended, events = revoke_all(sessions, RevocationReason.SUSPENDED, now=NOW)

    assert [event.session_id for event in events] == [session.id for session in sessions]
    assert not any(session.is_live(NOW) for session in ended)


class OwnerAndThief(RuleBasedStateMachine):
    """Whoever presents what, whenever: the session ends exactly when a token is used after it was spent."""

    copies = Bundle("copies")

    @initialize(target=copies)
    def sign_in(self) -> int:
        self.now = NOW
        self.session = started()
        self.newest, self.moved_at = 1, NOW
        self.is_over = False
        return 1

    @rule(seconds=st.sampled_from([0, 1, 5, 9, 10, 11, 60, 3600, 3 * 3600]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=copies, generation=copies)
    def copy(self, generation: int) -> int:
        return generation

    @rule(target=copies, generation=consumes(copies))
    def present(self, generation: int) -> int:
        is_live = not self.is_over and self.session.is_live(self.now)
        if not is_live:
            with pytest.raises(RefreshRefused):
                self.session.refresh(presented=generation, policy=POLICY, now=self.now)
            return generation
        self.session, revoked = self.session.refresh(presented=generation, policy=POLICY, now=self.now)
        is_newest = generation == self.newest
        is_repeat = generation == self.newest - 1 and self.now - self.moved_at <= POLICY.grace
        assert (revoked is None) == (is_newest or is_repeat)
        self.is_over = revoked is not None
        if is_newest:
            self.newest, self.moved_at = self.newest + 1, self.now
        return self.newest

    @invariant()
    def nothing_outlives_its_end(self) -> None:
        if hasattr(self, "session"):
            assert self.session.expires_at <= self.session.ends_at == NOW + POLICY.absolute
            assert self.session.generation == self.newest
            assert not (self.is_over and self.session.is_live(self.now))


@pytest.mark.promise("AU10")
def test_a_session_ends_exactly_when_a_spent_token_is_used():
    run_state_machine_as_test(
        OwnerAndThief,
        settings=settings(max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]),
    )
    assert OwnerAndThief.TestCase is not None
