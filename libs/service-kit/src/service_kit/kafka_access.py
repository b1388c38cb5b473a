"""How Kafka is reached: in plain text on a developer's machine, by TLS and SASL elsewhere; for both client libraries at once."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

KafkaAddress: TypeAlias = "str | KafkaAccess"
"""Where a client finds Kafka: brokers alone, reached in plain text, or a `KafkaAccess`."""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where a client gets its OAuth token, by the client credentials grant (RFC 6749, section 4.4)."""

    url: str
    client_id: str
    client_secret: SecretStr
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """The brokers (`host:port`, separated by commas) and what they ask of a client; `ca_file` None trusts the system's CAs."""

    servers: str
    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    tokens: TokenEndpoint | None = None

    def for_confluent(self) -> dict[str, Any]:
        """The configuration of a confluent-kafka client; host names are always checked against certificates."""
        found: dict[str, Any] = {"bootstrap.servers": self.servers}
        if self.protocol == "PLAINTEXT":
            return found
        found["security.protocol"] = self.protocol
        if self.ca_file is not None:
            found["ssl.ca.location"] = str(self.ca_file)
        return found | self._sasl_for_confluent()

    def _sasl_for_confluent(self) -> dict[str, Any]:
        if self.tokens is not None:
            return {
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": self.tokens.url,
                "sasl.oauthbearer.client.id": self.tokens.client_id,
                "sasl.oauthbearer.client.secret": self.tokens.client_secret.get_secret_value(),
                **({"sasl.oauthbearer.scope": self.tokens.scope} if self.tokens.scope else {}),
                **({"https.ca.location": str(self.ca_file)} if self.ca_file else {}),
            }
        if self.mechanism is not None and self.password is not None:
            return {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password.get_secret_value(),
            }
        return {}

    def for_aiokafka(self) -> dict[str, Any]:
        """The keyword arguments of an aiokafka client."""
        found: dict[str, Any] = {"bootstrap_servers": self.servers}
        if self.protocol == "PLAINTEXT":
            return found
        found |= {"security_protocol": self.protocol, "ssl_context": self.tls()}
        if self.tokens is not None:
            return found | {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": self._provider()}
        if self.mechanism is not None and self.password is not None:
            found |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        return found

    def for_faust(self) -> CredentialsT | None:
        """The credentials of a Faust app; None in plain text."""
        from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

        if self.protocol == "PLAINTEXT":
            return None
        if self.tokens is not None:
            return OAuthCredentials(oauth_cb=self._provider(), ssl_context=self.tls())
        if self.mechanism is not None and self.password is not None:
            password = self.password.get_secret_value()
            return SASLCredentials(username=self.username, password=password, ssl_context=self.tls(), mechanism=self.mechanism)
        return SSLCredentials(context=self.tls())

    def tls(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, with the certificate and the host name checked."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _provider(self) -> Any:
        from service_kit.kafka_tokens import ClientCredentials

        if self.tokens is None:
            raise ValueError("without a token endpoint there are no tokens")
        return ClientCredentials(self.tokens, ca_file=self.ca_file)


class KafkaSettings(BaseSettings):
    """The settings by which a process reaches Kafka; what does not fit together refuses to start."""

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: Mechanism | None = None
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    # The certificates of the authorities that the brokers' and the token endpoint's certificates come from.
    kafka_ca_file: Path | None = None
    kafka_token_url: str | None = None
    kafka_token_client_id: str | None = None
    kafka_token_client_secret: SecretStr | None = None
    kafka_token_scope: str | None = None

    @model_validator(mode="after")
    def _kafka_fits_together(self) -> Self:
        needed: Mapping[str, tuple[str, ...]] = {
            "OAUTHBEARER": ("kafka_token_url", "kafka_token_client_id", "kafka_token_client_secret"),
            "SCRAM-SHA-256": ("kafka_username", "kafka_password"),
            "SCRAM-SHA-512": ("kafka_username", "kafka_password"),
        }
        if (self.kafka_security_protocol == "SASL_SSL") != (self.kafka_sasl_mechanism is not None):
            raise ValueError("kafka_sasl_mechanism belongs to kafka_security_protocol SASL_SSL, and to no other")
        missing = [name for name in needed.get(self.kafka_sasl_mechanism or "", ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"kafka_sasl_mechanism {self.kafka_sasl_mechanism} needs {', '.join(missing)}")
        return self

    @property
    def kafka(self) -> KafkaAccess:
        """How this process reaches Kafka."""
        return KafkaAccess(
            servers=self.kafka_bootstrap_servers,
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=self.kafka_password,
            ca_file=self.kafka_ca_file,
            tokens=self._token_endpoint(),
        )

    def _token_endpoint(self) -> TokenEndpoint | None:
        url, client_id, secret = self.kafka_token_url, self.kafka_token_client_id, self.kafka_token_client_secret
        if self.kafka_sasl_mechanism != "OAUTHBEARER" or url is None or client_id is None or secret is None:
            return None
        return TokenEndpoint(url, client_id, secret, self.kafka_token_scope)


def kafka_access(address: KafkaAddress) -> KafkaAccess:
    """The access that an address stands for."""
    return KafkaAccess(servers=address) if isinstance(address, str) else address
