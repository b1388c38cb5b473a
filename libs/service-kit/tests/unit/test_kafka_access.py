"""How Kafka is reached: what each client library is told, and which settings refuse to start."""

import ssl
from typing import ClassVar

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from pydantic import SecretStr, ValidationError

from service_kit.kafka_access import KafkaAccess, TokenEndpoint, kafka_access
from service_kit.settings import ServiceSettings, describe, service_config

SCRAM = KafkaAccess(
    servers="broker.example:9093",
    protocol="SASL_SSL",
    mechanism="SCRAM-SHA-512",
    username="billing",
    password=SecretStr("very-secret"),
)
TOKENS = TokenEndpoint("https://login.example/token", "billing", SecretStr("very-secret"), "kafka")
OAUTH = KafkaAccess(servers="broker.example:9093", protocol="SASL_SSL", mechanism="OAUTHBEARER", tokens=TOKENS)


class OwnSettings(ServiceSettings):
    model_config = service_config("OWN_")
    service_name: ClassVar[str] = "own"


@pytest.fixture
def told(monkeypatch):
    def tell(**variables: str):
        for name, value in {"ENVIRONMENT": "test", "DATABASE_URL": "postgresql://127.0.0.1/own", **variables}.items():
            monkeypatch.setenv(f"OWN_{name}", value)
        return OwnSettings()

    return tell


def test_an_address_alone_is_reached_in_plain_text():
    access = kafka_access("127.0.0.1:9092")
    assert access.for_confluent() == {"bootstrap.servers": "127.0.0.1:9092"}
    assert access.for_aiokafka() == {"bootstrap_servers": "127.0.0.1:9092"}
    assert access.for_faust() is None


def test_a_password_is_given_to_both_libraries_over_checked_tls():
    confluent = SCRAM.for_confluent()
    assert confluent["security.protocol"] == "SASL_SSL"
    assert (confluent["sasl.mechanism"], confluent["sasl.username"]) == ("SCRAM-SHA-512", "billing")
    aiokafka = SCRAM.for_aiokafka()
    assert aiokafka["sasl_plain_password"] == confluent["sasl.password"] == "very-secret"
    context = aiokafka["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    credentials = SCRAM.for_faust()
    assert isinstance(credentials, SASLCredentials)
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")


def test_tls_without_a_password_is_what_a_mesh_or_a_client_network_asks_for():
    access = KafkaAccess(servers="broker.example:9093", protocol="SSL")
    assert access.for_confluent() == {"bootstrap.servers": "broker.example:9093", "security.protocol": "SSL"}
    assert isinstance(access.for_faust(), SSLCredentials)


async def test_the_libraries_themselves_take_what_they_are_told():
    for access in (SCRAM, OAUTH):
        Producer({**access.for_confluent(), "log_level": 0})
        consumer = AIOKafkaConsumer(**access.for_aiokafka())
        await consumer.stop()
    assert isinstance(OAUTH.for_faust(), OAuthCredentials)


def test_the_settings_make_the_access(told, tmp_path):
    settings = told(
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="OAUTHBEARER",
        KAFKA_TOKEN_URL="https://login.example/token",
        KAFKA_TOKEN_CLIENT_ID="billing",
        KAFKA_TOKEN_CLIENT_SECRET="very-secret",
        KAFKA_CA_FILE=str(tmp_path / "ca.pem"),
    )
    told_confluent = settings.kafka.for_confluent()
    assert told_confluent["sasl.oauthbearer.token.endpoint.url"] == "https://login.example/token"
    assert told_confluent["ssl.ca.location"] == str(tmp_path / "ca.pem")
    assert describe(settings)["kafka_token_client_secret"] == "set"
    assert "very-secret" not in repr(settings)
    assert "very-secret" not in repr(settings.kafka)


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "kafka_sasl_mechanism"),
        ({"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}, "belongs to"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}, "kafka_password"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "kafka_token_url"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "SASL_SSL"),
    ],
)
def test_what_does_not_fit_together_refuses_to_start(told, variables, why):
    with pytest.raises(ValidationError, match=why):
        told(**variables)
