"""The process of the mail sink: SMTP on one port, HTTP on the other. `python -m local_stack.mail_server --help`."""

import argparse
import asyncio
import email
import email.policy
import email.utils
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, cast, get_args

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local_stack.basic_auth import check_basic_auth
from local_stack.mail import MailFault
from local_stack.ports import HOST
from local_stack.secret_files import told_secret

_NEVER_SECONDS = 3600.0
_LARGEST_BYTES = 10_000_000
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Mail of the local stack</title>
<body style="font:16px/1.5 sans-serif;max-width:900px;margin:24px auto;padding:0 16px"><h1>Mail of the local stack</h1>
<p>Nothing of it was sent on. The newest comes first.</p>{rows}</body></html>"""
_ROW = '<p><a href="/api/messages/{id}">{subject}</a><br><small>to {to}, {date}</small></p><pre>{text}</pre><hr>'


@dataclass(frozen=True)
class Kept:
    """A mail as it came; `id` counts them from 1."""

    id: int
    received_at: float
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @cached_property
    def message_id(self) -> str:
        return str(self.message["Message-ID"] or "").strip().strip("<>")


@dataclass
class Sink:
    """What came, and what is to be done to what comes next."""

    folder: Path
    kept: list[Kept] = field(default_factory=list)
    faults: list[MailFault] = field(default_factory=list)

    def load(self) -> None:
        """Take up what an earlier process of this folder got."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.glob("*.eml")):
            raw = path.read_bytes()
            message = email.message_from_bytes(raw, policy=email.policy.default)
            recipients = str(message["X-Envelope-To"] or "").split(", ")
            self.kept.append(Kept(int(path.stem), path.stat().st_mtime, recipients, raw))

    def keep(self, recipients: list[str], raw: bytes) -> None:
        number = self.kept[-1].id + 1 if self.kept else 1
        raw = f"X-Envelope-To: {', '.join(recipients)}\r\n".encode() + raw
        (self.folder / f"{number:08d}.eml").write_bytes(raw)
        self.kept.append(Kept(number, time.time(), recipients, raw))

    def next_fault(self, *among: MailFault) -> MailFault | None:
        """Take the next fault, if it is one of these."""
        return self.faults.pop(0) if self.faults and self.faults[0] in among else None

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT TO."""
        if self.next_fault("refuse-recipient"):
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Answer the end of a mail."""
        fault = self.next_fault("hang-after", "drop-after", "hang-before", "defer", "refuse")
        if fault == "defer":
            return "451 4.3.0 Try again later"
        if fault == "refuse":
            return "554 5.6.0 Not such a mail"
        if fault != "hang-before":
            self.keep([str(address) for address in envelope.rcpt_tos], cast("bytes", envelope.content))
        if fault == "drop-after":
            cast("asyncio.WriteTransport", server.transport).abort()
        if fault is not None:
            await asyncio.sleep(_NEVER_SECONDS)
        return f"250 2.0.0 OK {len(self.kept)}"


@dataclass(frozen=True)
class View:
    """What the sink shows over HTTP, and the event log whose callers name `key`."""

    sink: Sink
    key: str

    def routes(self) -> list[Route]:
        return [
            Route("/", self._index),
            Route("/health", self._health),
            Route("/api/messages", self._messages),
            Route("/api/messages/{id:int}", self._message),
            Route("/api/faults", self._faults, methods=["GET", "PUT"]),
            Route("/v3/{domain}/events", self._events),
        ]

    async def _index(self, _: Request) -> Response:
        rows = "".join(_row(kept) for kept in reversed(self.sink.kept[-100:])) or "<p>Nothing came yet.</p>"
        return HTMLResponse(_PAGE.format(rows=rows))

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    async def _messages(self, request: Request) -> Response:
        to = request.query_params.get("to")
        found = [kept for kept in self.sink.kept if to is None or to in kept.recipients]
        return JSONResponse({"messages": [{"id": k.id, "to": k.recipients, "messageId": k.message_id} for k in found]})

    async def _message(self, request: Request) -> Response:
        found = [kept for kept in self.sink.kept if kept.id == request.path_params["id"]]
        return PlainTextResponse(found[0].raw) if found else PlainTextResponse("no such mail", 404)

    async def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            wanted = (await request.json())["faults"]
            if not set(wanted) <= set(get_args(MailFault)):
                return PlainTextResponse(f"faults are {', '.join(get_args(MailFault))}", 422)
            self.sink.faults = wanted
        return JSONResponse({"faults": self.sink.faults})

    async def _events(self, request: Request) -> Response:
        try:
            check_basic_auth(request, "api", self.key)
        except AuthenticationError:
            return PlainTextResponse("Forbidden", 401)
        wanted = request.query_params.get("message-id")
        items = [_event(kept) for kept in self.sink.kept if wanted is None or wanted == kept.message_id]
        return JSONResponse({"items": items, "paging": {}})


def _event(kept: Kept) -> dict[str, Any]:
    """An item of Mailgun's event log: the mail was taken."""
    message = kept.message
    headers = {"message-id": kept.message_id, "from": str(message["From"]), "to": str(message["To"])}
    return {
        "event": "accepted",
        "id": f"{kept.id}",
        "timestamp": kept.received_at,
        "log-level": "info",
        "recipient": kept.recipients[0] if kept.recipients else "",
        "message": {"headers": {**headers, "subject": str(message["Subject"])}, "size": len(kept.raw)},
    }


def _row(kept: Kept) -> str:
    message = kept.message
    body = message.get_body(("plain",))
    text = body.get_content() if body else "(no plain text)"
    return _ROW.format(
        id=kept.id,
        subject=escape(str(message["Subject"])),
        to=escape(", ".join(kept.recipients)),
        date=escape(email.utils.formatdate(kept.received_at)),
        text=escape(text),
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until a signal."""
    sink = Sink(arguments.folder)
    sink.load()
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(sink, hostname="mail.bloom.local", data_size_limit=_LARGEST_BYTES, enable_SMTPUTF8=True, loop=loop)

    smtp = await loop.create_server(session, arguments.host, arguments.port)
    app = Starlette(routes=View(sink, told_secret(arguments.key_file, "BLOOM_MAIL_EVENTS_KEY")).routes())
    config = uvicorn.Config(app, host=arguments.host, port=arguments.http_port, log_level="warning", timeout_graceful_shutdown=1)
    async with smtp:
        await uvicorn.Server(config).serve()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.mail_server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where mails are kept")
    parser.add_argument("--host", default=HOST, help="the address to listen on; a container's own is every one")
    parser.add_argument("--port", type=int, required=True, help="SMTP")
    parser.add_argument("--http-port", type=int, required=True, help="the view, the event log and the faults")
    parser.add_argument("--key-file", type=Path, help="holds the key of the event log; else BLOOM_MAIL_EVENTS_KEY does")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
