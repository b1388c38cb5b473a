"""Settings: read under a prefix, checked, described without secrets."""

from typing import ClassVar

import pytest
from pydantic import SecretStr, ValidationError

from service_kit.settings import ServiceSettings, describe, service_config


class OwnSettings(ServiceSettings):
    model_config = service_config("OWN_")
    service_name: ClassVar[str] = "own"

    api_key: SecretStr | None = None


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("OWN_ENVIRONMENT", "test")
    monkeypatch.setenv("OWN_DATABASE_URL", "postgresql://own_app:very-secret@127.0.0.1/own")
    return monkeypatch


def test_settings_are_read_under_the_services_own_prefix(environment):
    environment.setenv("OWN_PORT", "9001")
    environment.setenv("PORT", "1")
    assert OwnSettings().port == 9001


def test_an_unset_address_of_the_database_refuses_to_start(environment):
    environment.delenv("OWN_DATABASE_URL")
    with pytest.raises(ValidationError, match="database_url"):
        OwnSettings()


def test_an_empty_variable_counts_as_unset(environment):
    environment.setenv("OWN_DATABASE_URL", "")
    with pytest.raises(ValidationError, match="database_url"):
        OwnSettings()


@pytest.mark.parametrize("switch", ["OWN_UNSAFE_OUTBOX_OFF", "OWN_UNSAFE_INBOX_OFF"])
def test_a_planted_bug_is_refused_outside_of_tests(environment, switch):
    environment.setenv(switch, "1")
    assert OwnSettings()
    environment.setenv("OWN_ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="refused outside"):
        OwnSettings()


SAFE = {
    "OWN_ENVIRONMENT": "production",
    "OWN_DATABASE_URL": "postgresql://own_app@database.example/own?sslmode=verify-full",
    "OWN_VALKEY_URL": "rediss://valkey.example:6379/0",
    "OWN_KAFKA_SECURITY_PROTOCOL": "SSL",
}


@pytest.mark.promise("SE4")
@pytest.mark.parametrize(
    ("name", "bare", "why"),
    [
        ("OWN_DATABASE_URL", "postgresql://own_app@database.example/own?sslmode=require", "verify-full"),
        ("OWN_RELAY_DATABASE_URL", "postgresql://own_relay@database.example/own", "verify-full"),
        ("OWN_VALKEY_URL", "redis://valkey.example:6379/0", "rediss"),
        ("OWN_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", "SASL_SSL"),
    ],
)
def test_production_refuses_to_start_where_a_connection_would_not_be_encrypted_and_checked(environment, name, bare, why):
    for variable, value in SAFE.items():
        environment.setenv(variable, value)
    assert OwnSettings()
    environment.setenv(name, bare)
    with pytest.raises(ValidationError, match=why):
        OwnSettings()


def test_the_description_says_of_secrets_only_whether_they_are_set(environment):
    environment.setenv("OWN_API_KEY", "key-123")
    described = describe(OwnSettings())
    assert described["database_url"] == "set"
    assert described["api_key"] == "set"
    assert described["relay_database_url"] == "unset"
    assert described["port"] == 8000
    assert "very-secret" not in str(described)
    assert "key-123" not in str(described)


def test_settings_cannot_be_changed_once_they_are_read(environment):
    settings = OwnSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1


def test_a_refusal_to_start_does_not_print_what_it_was_given(environment):
    environment.setenv("OWN_PORT", "not-a-port-but-a-secret")
    environment.delenv("OWN_ENVIRONMENT")
    with pytest.raises(ValidationError) as refused:
        OwnSettings()
    assert "environment" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["OWN_DATABASE_URL", "OWN_MIGRATION_DATABASE_URL", "OWN_RELAY_DATABASE_URL"])
def test_what_is_no_address_of_postgresql_refuses_to_start(environment, name):
    environment.setenv(name, "mysql://own:very-secret@127.0.0.1/own")
    with pytest.raises(ValidationError, match="must be an address such as postgresql://") as refused:
        OwnSettings()
    assert "very-secret" not in str(refused.value)


def test_a_worker_may_be_silent_for_ten_seconds_unless_told_otherwise(environment):
    assert OwnSettings().worker_session_seconds == 10
    environment.setenv("OWN_WORKER_SESSION_SECONDS", "1.5")
    assert OwnSettings().worker_session_seconds == 1.5
    environment.setenv("OWN_WORKER_SESSION_SECONDS", "0")
    with pytest.raises(ValidationError, match="worker_session_seconds"):
        OwnSettings()


@pytest.mark.parametrize("name", ["a b", "", "x" * 201, "Ä"])
def test_the_name_of_a_worker_is_one_that_kafka_takes(environment, name):
    assert OwnSettings().worker_instance is None
    environment.setenv("OWN_WORKER_INSTANCE", "worker-0.billing_1")
    assert OwnSettings().worker_instance == "worker-0.billing_1"
    environment.setenv("OWN_WORKER_INSTANCE", name)
    if not name:
        assert OwnSettings().worker_instance is None
        return
    with pytest.raises(ValidationError, match="worker_instance"):
        OwnSettings()
