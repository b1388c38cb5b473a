"""Signing keys over years: one always signs, the next is known before it does, none is dropped too early."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from auth.clients.access_tokens import AccessTokenIssuer, TokenPolicy, make_signing_key
from auth.clients.master_key import MasterKey
from auth.domain.signing_keys import KeyPolicy, KeyRing, SigningKey

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
POLICY = KeyPolicy(lifetime=timedelta(days=30), publish_ahead=timedelta(minutes=20), token_lifetime=timedelta(minutes=11))


def key(name: str, activates_at: datetime) -> SigningKey:
    return SigningKey(kid=name, public_key=b"p" * 32, sealed_private_key=b"", activates_at=activates_at)


def test_the_first_key_signs_at_once():
    assert KeyRing(()).next_activation(POLICY, NOW) == NOW


def test_a_key_asked_for_waits_until_everybody_knows_it():
    ring = KeyRing.of([key("a", NOW)])

    assert ring.next_activation(POLICY, NOW) is None
    assert ring.next_activation(POLICY, NOW, is_asked=True) == NOW + timedelta(minutes=20)


def test_while_one_waits_no_other_is_made():
    ring = KeyRing.of([key("a", NOW), key("b", NOW + timedelta(minutes=20))])

    assert ring.next_activation(POLICY, NOW, is_asked=True) is None
    assert ring.signing_key(NOW + timedelta(minutes=19)) == ring.keys[0]
    assert ring.signing_key(NOW + timedelta(minutes=20)) == ring.keys[1]


def test_the_next_key_is_made_in_time_and_begins_when_the_last_ends():
    ring, due = KeyRing.of([key("a", NOW)]), NOW + timedelta(days=30) - timedelta(minutes=20)

    assert ring.next_activation(POLICY, due - timedelta(seconds=1)) is None
    assert ring.next_activation(POLICY, due) == NOW + timedelta(days=30)
    assert ring.next_activation(POLICY, NOW + timedelta(days=90)) == NOW + timedelta(days=90, minutes=20)


def test_a_key_is_kept_until_its_last_token_is_over():
    ring = KeyRing.of([key("a", NOW), key("b", NOW + timedelta(days=1))])

    assert ring.outlived(POLICY, NOW + timedelta(days=1, minutes=10, seconds=59)) == ()
    assert ring.outlived(POLICY, NOW + timedelta(days=1, minutes=11)) == (ring.keys[0],)


@given(st.lists(st.tuples(st.floats(0, 40 * 24 * 60), st.booleans()), max_size=40))
def test_however_rarely_somebody_looks_one_key_signs_and_was_known_before(looks):
    ring, now, known_since = KeyRing(()), NOW, {}
    for number, (minutes, is_asked) in enumerate(looks):
        now += timedelta(minutes=minutes)
        activates_at = ring.next_activation(POLICY, now, is_asked=is_asked)
        added = [key(str(number), activates_at)] if activates_at else []
        known_since |= {one.kid: now for one in added}
        gone = ring.outlived(POLICY, now)
        ring = KeyRing.of([*(one for one in ring.keys if one not in gone), *added])
        signing = ring.signing_key(now)
        assert signing is not None
        assert signing.kid == "0" or signing.activates_at - known_since[signing.kid] >= POLICY.publish_ahead
        assert len(ring.keys) <= 3


def test_keys_are_sealed_under_the_master_key_and_their_own_name():
    master_key = MasterKey(b"m" * 32)
    made, other = make_signing_key(master_key, activates_at=NOW), make_signing_key(master_key, activates_at=NOW)

    assert len(master_key.open(made.sealed_private_key, name=made.kid)) == 32
    assert made.kid != other.kid
    for opener, name in ((master_key, other.kid), (MasterKey(b"n" * 32), made.kid)):
        with pytest.raises(InvalidTag):
            opener.open(made.sealed_private_key, name=name)


def test_purposes_have_keys_of_their_own():
    keys = MasterKey(b"m" * 32).token_keys()

    assert len({keys.refresh, keys.csrf, keys.invitation, keys.mark, b"m" * 32}) == 5
    assert "object" in repr(keys)


def test_an_issuer_forgets_keys_that_are_gone():
    master_key = MasterKey(b"m" * 32)
    old, new = make_signing_key(master_key, activates_at=NOW), make_signing_key(master_key, activates_at=NOW + timedelta(1))
    issuer = AccessTokenIssuer(TokenPolicy(issuer="i", audience="a", lifetime=timedelta(minutes=10)), master_key)
    issuer.use_ring(KeyRing.of([old, new]))
    issuer.use_ring(KeyRing.of([new]))

    assert [one["kid"] for one in issuer.jwks()["keys"]] == [new.kid]
