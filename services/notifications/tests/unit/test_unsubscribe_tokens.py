"""Tokens of unsubscribe links: what was made reads back, and nothing else is read."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloom_events.ids import TenantId, UserId
from notifications.domain.preferences import CHOICES
from notifications.domain.refusals import LinkNotValid
from notifications.domain.unsubscribing import UnsubscribeLinks, Unsubscription

LINKS = UnsubscribeLinks([b"k" * 32])
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(tenant=st.uuids(), user=st.uuids(), choice=st.sampled_from(CHOICES))
def test_what_was_made_reads_back(tenant: UUID, user: UUID, choice: object) -> None:
    kind, channel = choice  # type: ignore[misc]  # a pair of CHOICES
    wish = Unsubscription(TenantId(tenant), UserId(user), kind, channel)

    assert LINKS.read(LINKS.token(wish)) == wish


@given(text=st.text(max_size=100))
def test_any_text_is_refused_by_the_one_problem(text: str) -> None:
    with pytest.raises(LinkNotValid):
        LINKS.read(text)


@given(place=st.integers(0, 64), letter=st.sampled_from(URL_SAFE))
def test_a_token_with_any_letter_changed_is_refused(place: int, letter: str) -> None:
    token = LINKS.token(Unsubscription(TenantId(UUID(int=1)), UserId(UUID(int=2)), *CHOICES[0]))
    forged = token[:place] + letter + token[place + 1 :]

    if forged != token:
        with pytest.raises(LinkNotValid):
            LINKS.read(forged)


def test_a_token_names_no_address_and_fits_into_a_link() -> None:
    token = LINKS.token(Unsubscription(TenantId(uuid4()), UserId(uuid4()), *CHOICES[0]))

    assert len(token) == 66
    assert set(token) <= set(URL_SAFE)
