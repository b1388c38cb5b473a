"""Mail is handed over under TLS, to a server that proves who it is, after signing in; anything less is tried again."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from bloom_events.ids import NotificationId, UserId
from bloom_events.notifications import Channel
from local_stack.ports import HOST
from notifications.clients.configs import MailConfig
from notifications.clients.providers import open_providers
from notifications.domain.notices import Notification, Template, Timing, Urgency
from notifications.domain.providing import Letter, NotTaken, Taken, Unanswerable

TIMING = Timing(call=timedelta(seconds=5), settle=timedelta(seconds=1))
NOW = datetime.now(UTC)
LETTER = Letter(
    Notification(
        id=NotificationId(uuid4()),
        user_id=UserId(uuid4()),
        channel=Channel.EMAIL,
        template=Template.ALERT_CALLED,
        about=uuid4(),
        occasion="round_1",
        urgency=Urgency.URGENT,
        due_at=NOW,
        expires_at=NOW,
        created_at=NOW,
    ),
    "somebody@people.example",
)


class Server:
    """A server that wants TLS and a password, and keeps who said what."""

    def __init__(self, folder: Path) -> None:
        self.certificate, key = folder / "certificate.pem", folder / "key.pem"
        _make_certificate(self.certificate, key)
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(self.certificate, key)
        self.taken: list[tuple[str, bool]] = []
        self.signed_in: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.taken += [(str(address), session.ssl is not None) for address in envelope.rcpt_tos]
        return "250 2.0.0 OK"

    def sign_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        self.signed_in.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    def protocol(self) -> SMTP:
        loop = asyncio.get_running_loop()
        return SMTP(
            self,
            tls_context=self.tls,
            require_starttls=True,
            auth_required=True,
            authenticator=self.sign_in,
            loop=loop,
            hostname="mail.test",
        )


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Server, int]]:
    made = Server(tmp_path)
    listening = await asyncio.get_running_loop().create_server(made.protocol, HOST, 0)
    async with listening:
        yield made, listening.sockets[0].getsockname()[1]


async def answer_of(server: tuple[Server, int], **more: Any) -> Any:
    made, port = server
    password = more.pop("password", "right")
    told = {"security": "starttls", "ca_file": made.certificate, **more}
    config = MailConfig(
        host=HOST,
        port=port,
        sender="no-reply@bloom.example",
        username="bloom",
        password=SecretStr(password),
        timing=TIMING,
        **told,
    )
    provider = open_providers(mail=config, sms=None, push=None, portal_url="https://p")[Channel.EMAIL]
    answer = await provider.send(LETTER)
    assert await provider.find(LETTER) == Unanswerable()
    await provider.close()
    return answer


@pytest.mark.promise("PL11")
async def test_a_mail_goes_over_tls_after_signing_in(server: tuple[Server, int]) -> None:
    assert isinstance(await answer_of(server), Taken)
    assert server[0].taken == [("somebody@people.example", True)]
    assert server[0].signed_in == [(b"bloom", b"right")]


async def test_a_server_that_nobody_vouches_for_gets_no_mail_and_no_password(server: tuple[Server, int]) -> None:
    assert await answer_of(server, ca_file=None) == NotTaken("provider_away")
    assert server[0].signed_in == []


async def test_a_wrong_password_is_the_operators_to_mend_and_loses_no_mail(server: tuple[Server, int]) -> None:
    assert await answer_of(server, password="wrong") == NotTaken("provider_refuses")
    assert server[0].taken == []


async def test_without_tls_a_server_that_wants_it_takes_nothing(server: tuple[Server, int]) -> None:
    assert isinstance(await answer_of(server, security="none"), NotTaken)
    assert server[0].taken == []


async def test_a_server_that_is_away_is_tried_again(server: tuple[Server, int]) -> None:
    made, _ = server

    assert await answer_of((made, 1)) == NotTaken("provider_away")


def _make_certificate(certificate: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
