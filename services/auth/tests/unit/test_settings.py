"""Settings: what is refused, and that secrets are never shown."""

import base64

import pytest
from pydantic import ValidationError

from auth.settings import Settings
from service_kit.settings import describe

KEY = base64.b64encode(b"k" * 32).decode()


def made(**changed: object) -> Settings:
    return Settings(**{"environment": "test", "database_url": "postgresql://app:hidden@db/x", "master_key": KEY} | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"master_key": "too short"}, {"master_key": base64.b64encode(b"k" * 31).decode()}, {"master_key": ""},
        {"session_idle_hours": 800}, {"environment": "production", "cookies_secure": False}, {"hash_memory_kib": 1024},
        {"hash_passes": 1}, {"access_token_minutes": 0}, {"signing_key_publish_ahead_minutes": 5}, {"refresh_grace_seconds": 600},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(changed):
    with pytest.raises(ValidationError) as refused:
        made(**changed)
    assert "postgresql" not in str(refused.value.errors(include_input=False))


def test_without_a_master_key_nothing_starts(monkeypatch):
    monkeypatch.delenv("AUTH_MASTER_KEY", raising=False)
    with pytest.raises(ValidationError, match="master_key"):
        Settings(environment="test", database_url="postgresql://x")


def test_what_is_printed_at_the_start_holds_no_secret():
    shown = str(describe(made()))

    assert KEY not in shown
    assert "hidden" not in shown


def test_hashing_leaves_one_core_for_the_event_loop():
    assert made().hashing.threads >= 1
    assert made(hash_threads=3).hashing.threads == 3


def test_origins_are_read_from_a_list():
    assert made(allowed_origins="https://a.test, https://b.test/ ,").own_origins == {"https://a.test", "https://b.test"}
