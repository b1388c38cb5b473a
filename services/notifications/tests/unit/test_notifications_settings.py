"""Settings are checked at the start, and notes open under their own key and alert alone."""

import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag
from pydantic import ValidationError

from notifications.clients.master_key import NoteSeal, derived_key, read_master_key
from notifications.settings import Settings

KEY = base64.b64encode(b"k" * 32).decode()


def settings(**more: Any) -> Settings:
    return Settings(**{"environment": "test", "database_url": "postgresql://127.0.0.1/x", "master_key": KEY, **more})


def test_a_message_waits_five_seconds_for_its_score_and_thirty_more_while_scores_are_read() -> None:
    assert settings().patience.deadline == timedelta(seconds=5)
    assert settings().patience.catching_up == timedelta(seconds=30)


@pytest.mark.parametrize(
    "bad",
    [
        {"master_key": "short"},
        {"master_key": base64.b64encode(b"k" * 31).decode()},
        {"unscored_after_seconds": 0.4},
        {"unscored_after_seconds": 301},
        {"unscored_catching_up_seconds": -1},
        {"unscored_catching_up_seconds": 601},
    ],
)
def test_what_makes_no_sense_refuses_to_start_and_repeats_no_secret(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**bad)

    assert str(bad.get("master_key", "no secret")) not in str(refused.value)


def test_a_note_opens_for_its_own_alert_and_key_and_as_it_was_sealed() -> None:
    key, alert_id = read_master_key(KEY), uuid4()
    sealed = NoteSeal(key).seal("Spoke by phone.", alert_id)

    assert b"Spoke" not in sealed
    assert NoteSeal(key).open(sealed, alert_id) == "Spoke by phone."
    for seal, tried, other in (
        (NoteSeal(key), sealed, uuid4()),
        (NoteSeal(b"o" * 32), sealed, alert_id),
        (NoteSeal(key), sealed[:-1] + bytes([sealed[-1] ^ 1]), alert_id),
    ):
        with pytest.raises(InvalidTag):
            seal.open(tried, other)


def test_every_purpose_has_a_key_of_its_own() -> None:
    assert len({derived_key(b"k" * 32, purpose) for purpose in ("alert-notes", "another")}) == 2
