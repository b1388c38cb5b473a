"""Opaque tokens: recognised when they are ours, refused in any other form."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.domain.outcomes import InvitationNotUsable, RefreshRefused
from auth.domain.tokens import InvitationToken, RefreshToken, csrf_token, is_csrf_token, keyed_mark
from bloom_events.ids import InvitationId, SessionId, TenantId, new_id

KEY, OTHER_KEY, SEED = b"k" * 32, b"o" * 32, b"s" * 32
NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
ids = st.uuids()


def refresh(generation: int = 1, *, key: bytes = KEY, seed: bytes = SEED) -> RefreshToken:
    return RefreshToken.issue(
        key=key, seed=seed, tenant_id=TenantId(UUID(int=1)), session_id=SessionId(UUID(int=2)), generation=generation
    )


@given(tenant=ids, session=ids, generation=st.integers(1, 2**31 - 1))
def test_a_refresh_token_is_read_as_it_was_written(tenant, session, generation):
    token = RefreshToken.issue(
        key=KEY, seed=SEED, tenant_id=TenantId(tenant), session_id=SessionId(session), generation=generation
    )

    assert RefreshToken.parse(token.encode()) == token
    assert token.is_genuine(key=KEY, seed=SEED)


@given(st.text(max_size=120))
def test_any_other_text_is_refused_as_a_refresh_token(text):
    with pytest.raises(RefreshRefused):
        RefreshToken.parse(text)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_as_an_invitation(raw):
    with pytest.raises(InvitationNotUsable):
        InvitationToken.parse(raw.decode("latin-1"), key=KEY)


@given(position=st.integers(0, 89), letter=st.sampled_from("ABCDwxyz0189-_"))
def test_a_refresh_token_with_one_letter_changed_is_not_genuine(position, letter):
    text = refresh().encode()
    changed = text[:position] + letter + text[position + 1 :]
    if changed == text:
        assert RefreshToken.parse(changed).is_genuine(key=KEY, seed=SEED)
        return
    try:
        token = RefreshToken.parse(changed)
    except RefreshRefused:
        return
    assert not token.is_genuine(key=KEY, seed=SEED)


def test_a_proof_is_for_one_key_one_seed_and_one_generation():
    token = refresh()

    assert not token.is_genuine(key=OTHER_KEY, seed=SEED)
    assert not token.is_genuine(key=KEY, seed=b"t" * 32)
    assert refresh(2).proof != token.proof


def test_the_same_generation_always_gives_the_same_token():
    assert refresh(5).encode() == refresh(5).encode()


def test_tokens_do_not_show_their_proof_when_printed():
    token = refresh()

    assert repr(token.proof)[2:12] not in repr(token)


def test_an_invitation_is_recognised_and_a_forged_one_is_not():
    token = InvitationToken.issue(key=KEY, tenant_id=TenantId(new_id()), invitation_id=InvitationId(new_id()))

    assert InvitationToken.parse(token.encode(), key=KEY) == token
    for text in (token.encode()[:-1], token.encode() + "A", token.encode() + "=", "A" * 86, ""):
        with pytest.raises(InvitationNotUsable):
            InvitationToken.parse(text, key=KEY)
    with pytest.raises(InvitationNotUsable):
        InvitationToken.parse(token.encode(), key=OTHER_KEY)


@pytest.mark.promise("AU11")
def test_a_csrf_token_belongs_to_one_session():
    tenant, session = TenantId(new_id()), SessionId(new_id())
    token = csrf_token(key=KEY, tenant_id=tenant, session_id=session)

    assert is_csrf_token(token, key=KEY, tenant_id=tenant, session_id=session)
    assert not is_csrf_token(token, key=KEY, tenant_id=tenant, session_id=SessionId(new_id()))
    assert not is_csrf_token("", key=KEY, tenant_id=tenant, session_id=session)
    assert not is_csrf_token("ü", key=KEY, tenant_id=tenant, session_id=session)


def test_a_mark_stands_for_one_text_under_one_key():
    mark = keyed_mark(key=KEY, text="robin@example.test")

    assert len(mark) == 32
    assert mark != keyed_mark(key=OTHER_KEY, text="robin@example.test")
    assert mark != keyed_mark(key=KEY, text="kim@example.test")
