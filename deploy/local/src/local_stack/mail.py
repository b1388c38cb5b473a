"""The mail sink: takes every mail by SMTP, sends none on, and shows over HTTP what it has, to people and to tests."""

import email
import email.policy
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import httpx

from local_stack.component import OneProcess
from local_stack.ports import HOST, free_port
from local_stack.process import ChildProcess
from local_stack.secret_files import secret

MailFault = Literal["hang-after", "drop-after", "hang-before", "defer", "refuse", "refuse-recipient"]
"""What can be done to the next mails: keep one and never answer or cut the line, never answer, put off, refuse."""

DOMAIN = "bloom.local"
"""The domain in whose name the local stack sends."""


class MailSink(OneProcess):
    """One sink; what it got lies in `folder` as .eml files. Its event log speaks Mailgun's API, with a key kept in `secrets`."""

    name = "mail"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        http_port: int | None = None,
        guarded: bool = False,
        secrets: Path | None = None,
        log: Path | None = None,
        pid_file: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.http_port = http_port or free_port()
        self._secrets = secrets or folder / "secrets"
        arguments = ["--folder", str(folder / "messages"), "--port", str(self.port), "--http-port", str(self.http_port)]
        self._process = ChildProcess(
            "mail",
            [sys.executable, "-m", "local_stack.mail_server", *arguments, "--key-file", str(self._secrets / "mail-events-key")],
            log=log or folder / "mail.log",
            pid_file=pid_file or folder / "mail.pid",
            guarded=guarded,
        )

    @property
    def url(self) -> str:
        """Where people look at the mails."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def events_url(self) -> str:
        """The event log of the stack's domain."""
        return f"{self.url}/v3/{DOMAIN}"

    @property
    def events_key(self) -> str:
        """The key of the event log, made the first time that somebody asks."""
        return secret(self._secrets, "mail-events-key")

    @property
    def settings(self) -> dict[str, str]:
        """What a service that sends mail is told, without its prefix."""
        return {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self.port),
            "SMTP_SECURITY": "none",
            "MAIL_SENDER": f"no-reply@{DOMAIN}",
            "MAIL_EVENTS_URL": self.events_url,
            "MAIL_EVENTS_KEY": self.events_key,
        }

    def start(self) -> None:
        """Start the sink; returns before it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # The process reads the key from its file: arguments can be read by everybody on the machine.
        _ = self.events_key
        self._process.start()

    def is_ready(self) -> bool:
        """Whether it takes mail and shows it."""
        try:
            return self._ask("GET", "/health").status_code == 200
        except httpx.HTTPError:
            return False

    def messages(self, *, to: str) -> list[EmailMessage]:
        """The mails to one address, in the order in which they came."""
        listed: list[dict[str, Any]] = self._ask("GET", f"/api/messages?{urlencode({'to': to})}").json()["messages"]
        raw = [self._ask("GET", f"/api/messages/{each['id']}").content for each in listed]
        return [email.message_from_bytes(each, policy=email.policy.default) for each in raw]

    def fail_next(self, *faults: MailFault) -> None:
        """Do this to the next mails, one after the other; instead of what was asked for before."""
        self._ask("PUT", "/api/faults", json={"faults": list(faults)}).raise_for_status()

    def faults_left(self) -> int:
        """How many of the faults nobody has run into yet."""
        return len(self._ask("GET", "/api/faults").json()["faults"])

    def _ask(self, method: str, path: str, *, json: object = None) -> httpx.Response:
        return httpx.request(method, self.url + path, json=json, timeout=10.0, trust_env=False)
