"""A second door of a Kafka node: TLS, and a name with a password (SCRAM-SHA-512), as a managed Kafka asks of its clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack.ports import HOST

_NAME = "GUARDED"
_PREFIX = f"listener.name.{_NAME.lower()}"
_SECONDS = 10.0
# The least that Kafka takes for SHA-512.
_ROUNDS = 4096


@dataclass(frozen=True, slots=True)
class SaslListener:
    """Where it listens, and the file with the private key and the certificates that it shows."""

    port: int
    certificate: Path

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"{HOST}:{self.port}"

    def added_to(self, settings: Mapping[str, str]) -> dict[str, str]:
        """A node's settings with this listener beside the others."""
        door = f"{_NAME}://{self.address}"
        protocols = "listener.security.protocol.map"
        return {
            **settings,
            "listeners": f"{settings['listeners']},{door}",
            "advertised.listeners": f"{settings['advertised.listeners']},{door}",
            protocols: f"{settings[protocols]},{_NAME}:SASL_SSL",
            f"{_PREFIX}.ssl.keystore.type": "PEM",
            f"{_PREFIX}.ssl.keystore.location": str(self.certificate),
            f"{_PREFIX}.ssl.enabled.protocols": "TLSv1.3",
            f"{_PREFIX}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"{_PREFIX}.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        }


def let_in(bootstrap: str, name: str, password: str) -> None:
    """Have a running Kafka, reached in plain text at `bootstrap`, know this name and password."""
    from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, and not said to be exported
        AdminClient,
        ScramCredentialInfo,
        ScramMechanism,
        UserScramCredentialUpsertion,
    )

    about = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ROUNDS)
    wanted = UserScramCredentialUpsertion(name, about, password.encode())
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    client.alter_user_scram_credentials([wanted], request_timeout=_SECONDS)[name].result(_SECONDS)
