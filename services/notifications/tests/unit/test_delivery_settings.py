"""Settings of what is sent: told together, safe in production, and never printed."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from local_stack.secret_files import new_vapid_key
from notifications.settings import Settings
from service_kit.settings import describe

KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="
REAL = {
    "environment": "production",
    "database_url": SecretStr("postgresql://database.example/notifications?sslmode=verify-full"),
    "kafka_security_protocol": "SSL",
    "smtp_host": "smtp.example",
    "auth_url": "http://auth-api:8101",
    "service_key": SecretStr("{}"),
    "public_url": "https://api.example",
    "portal_url": "https://portal.example",
}


def told(**more: Any) -> Settings:
    needed = {"environment": "test", "database_url": SecretStr("postgresql://127.0.0.1/nothing"), "master_key": SecretStr(KEY)}
    return Settings(**{**needed, **more})


def test_without_any_provider_every_channel_is_closed() -> None:
    settings = told()

    assert (settings.mail, settings.sms, settings.push) == (None, None, None)


@pytest.mark.parametrize(
    "half",
    [
        {"sms_account_sid": "AC1"},
        {"sms_account_sid": "AC1", "sms_auth_token": SecretStr("t")},
        {"push_key": SecretStr(new_vapid_key())},
        {"push_subject": "mailto:operators@bloom.example"},
        {"smtp_username": "bloom"},
        {"mail_events_url": "https://events.example"},
        {"auth_url": "http://127.0.0.1:8101"},
    ],
)
def test_half_of_a_provider_is_refused(half: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="told together"):
        told(**half)


@pytest.mark.parametrize(
    "wrong",
    [
        {"push_key": SecretStr("no key"), "push_subject": "mailto:a@b.example"},
        {"push_key": SecretStr("AAAA"), "push_subject": "mailto:a@b.example"},
        {"public_url": "ftp://api.example"},
        {"mail_sender": "Bloom <no-reply@bloom.example>"},
        {"smtp_security": "maybe"},
        {"failpoint": "nowhere"},
        {"provider_seconds": 0},
        {"places_per_channel": 0},
    ],
)
def test_what_cannot_work_is_refused_at_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        told(**wrong)


def test_production_starts_with_all_that_it_needs() -> None:
    assert told(**REAL).mail is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_host": None},
        {"auth_url": None},
        {"smtp_security": "none"},
        {"public_url": "http://api.example"},
        {"portal_url": "http://portal.example"},
        {"failpoint": "claimed"},
    ],
)
def test_production_refuses_what_is_for_one_machine(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        told(**{**REAL, **wrong})


def test_no_secret_is_printed_at_the_start() -> None:
    secrets = {"smtp_username": "bloom", "smtp_password": SecretStr("pass-word"), "sms_account_sid": "AC1",
               "sms_auth_token": SecretStr("tok-en"), "sms_sender": "+15005550006"}  # fmt: skip
    printed = str(describe(told(**secrets)))

    assert "pass-word" not in printed
    assert "tok-en" not in printed
    assert KEY not in printed


def test_push_goes_to_no_plain_address_outside_of_this_machine() -> None:
    assert told().allows_plain_http
    assert not told(**REAL).allows_plain_http
