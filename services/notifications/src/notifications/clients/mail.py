"""E-mail by SMTP; whether a mail without an answer arrived is asked of the provider's event log, where it has one."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import aiosmtplib
import httpx

from notifications.clients.composing import compose
from notifications.clients.configs import MailConfig
from notifications.clients.mail_message import build_mail, message_id
from notifications.domain.providing import Absent, Answer, Finding, Letter, Lost, NotTaken, Refused, Taken, Unanswerable

_GOODBYE_SECONDS = 1.0
_NO_SUCH_MAILBOX = frozenset({550, 551, 553})


class MailProvider:
    """Hands letters over as e-mails, each on a connection of its own."""

    repeats_collapse = False

    def __init__(self, config: MailConfig, http: httpx.AsyncClient, *, portal_url: str) -> None:
        self._config = config
        self._http = http
        self._portal_url = portal_url
        self._tls = ssl.create_default_context(cafile=config.ca_file)

    async def send(self, letter: Letter) -> Answer:
        try:
            mail = build_mail(letter, compose(letter, self._portal_url), sender=self._config.sender)
        except ValueError:
            return Refused("address_refused")
        handover = _Handover(self._config, self._tls)
        try:
            async with asyncio.timeout(self._config.timing.call.total_seconds()):
                return await handover.run(letter.address, mail.as_bytes())
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return handover.after(error)
        finally:
            await handover.close()

    async def find(self, letter: Letter) -> Finding:
        config = self._config
        if config.events_url is None:
            return Unanswerable()
        wanted = message_id(letter.notification, config.sender.rpartition("@")[2])
        key = config.events_key.get_secret_value() if config.events_key else ""
        try:
            answer = await self._http.get(
                f"{config.events_url}/events",
                params={"message-id": wanted.strip("<>")},
                auth=("api", key),
                timeout=config.timing.call.total_seconds(),
            )
            answer.raise_for_status()
            return Taken(wanted) if answer.json()["items"] else Absent()
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return NotTaken("provider_silent")

    async def close(self) -> None:
        await self._http.aclose()


class _Handover:
    """One SMTP session; `is_out` from the moment when the server may have the whole mail."""

    def __init__(self, config: MailConfig, tls: ssl.SSLContext) -> None:
        self._config = config
        self._session = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            tls_context=None if config.security == "none" else tls,
            username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            timeout=config.timing.call.total_seconds(),
        )
        self.is_out = False

    async def run(self, address: str, mail: bytes) -> Answer:
        await self._session.connect()
        options = [] if address.isascii() else ["SMTPUTF8"]
        await self._session.mail(self._config.sender, options=options)
        await self._session.rcpt(address)
        self.is_out = True
        answer = await self._session.data(mail)
        return Taken(answer.message or None)

    def after(self, error: Exception) -> Answer:
        """What an error means, by how far the session had come."""
        match error:
            case aiosmtplib.SMTPRecipientRefused() if _is_about_address(error):
                return Refused("address_refused")
            case aiosmtplib.SMTPNotSupported():
                return Refused("address_refused")
            case aiosmtplib.SMTPDataError(code=code):
                return Refused("content_refused") if code >= 500 else NotTaken("provider_busy")
            case aiosmtplib.SMTPResponseException():
                return NotTaken("provider_refuses")
            case _:
                return Lost("no_answer") if self.is_out else NotTaken("provider_away")

    async def close(self) -> None:
        """The outcome is known by now: a goodbye that fails changes nothing."""
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._session.quit()
        self._session.close()


def _is_about_address(error: aiosmtplib.SMTPRecipientRefused) -> bool:
    """Whether there is no such mailbox; other refusals (5.7 of RFC 3463: policy, relaying) are the operators' to mend."""
    return error.code in _NO_SUCH_MAILBOX and not error.message.lstrip().startswith("5.7.")
