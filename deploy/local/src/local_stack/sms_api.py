"""Twilio's API of messages (2010-04-01), as far as it is used: create, list with paging, fetch, and its errors by code."""

import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.authentication import AuthenticationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_stack.basic_auth import check_basic_auth
from local_stack.provider_faults import Faults
from local_stack.providers import ACCOUNT_SID

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST_BODY = 1600
_LARGEST_PAGE = 1000

# The numbers that Twilio's own test credentials know.
_REFUSED_NUMBERS = {
    "+15005550001": (21211, "The 'To' number is not a valid phone number."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
}


class SmsApi:
    """One account with all that was sent through it, the oldest first."""

    def __init__(self, token: str, faults: Faults) -> None:
        self.messages: list[dict[str, Any]] = []
        self._token = token
        self._faults = faults

    def routes(self) -> list[Route]:
        """The routes below `/2010-04-01`."""
        return [
            Route("/Accounts/{sid}/Messages.json", self._collection, methods=["GET", "POST"]),
            Route("/Accounts/{sid}/Messages/{message_sid}.json", self._fetch),
        ]

    async def _collection(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if request.method == "GET":
            return self._list(request)
        form = dict(parse_qsl((await request.body()).decode()))

        async def act() -> Response:
            return self._create(form)

        return await self._faults.around(act)

    def _create(self, form: dict[str, str]) -> Response:
        to, body, sender = form.get("To", ""), form.get("Body", ""), form.get("From", "")
        refusals = (
            (not to, (21604, "A 'To' phone number is required.")),
            (not body, (21602, "Message body is required.")),
            (not sender, (21603, "A 'From' phone number is required.")),
            (not _E164.fullmatch(to), (21211, f"Invalid 'To' Phone Number: {to}")),
            (to in _REFUSED_NUMBERS, _REFUSED_NUMBERS.get(to, (0, ""))),
            (len(body) > _LONGEST_BODY, (21617, "The concatenated message body exceeds the 1600 character limit.")),
        )
        for is_refused, (code, why) in refusals:
            if is_refused:
                return _error(400, code, why)
        message = _message(to, sender, body)
        self.messages.append(message)
        return JSONResponse(message, 201)

    def _list(self, request: Request) -> Response:
        wanted = request.query_params
        found = [
            message
            for message in reversed(self.messages)
            if wanted.get("To") in {None, message["to"]} and wanted.get("From") in {None, message["from"]}
        ]
        size = min(int(wanted.get("PageSize", "50")), _LARGEST_PAGE)
        page = int(wanted.get("Page", "0"))
        shown = found[page * size : (page + 1) * size]
        following = {**wanted, "PageSize": size, "Page": page + 1}
        next_uri = f"{request.url.path}?{urlencode(following)}" if len(found) > (page + 1) * size else None
        frame = {"first_page_uri": request.url.path, "next_page_uri": next_uri, "previous_page_uri": None}
        place = {"page": page, "page_size": size, "start": page * size, "end": page * size + max(len(shown) - 1, 0)}
        return JSONResponse({**frame, **place, "uri": request.url.path, "messages": shown})

    async def _fetch(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        found = [message for message in self.messages if message["sid"] == request.path_params["message_sid"]]
        return JSONResponse(found[0]) if found else _error(404, 20404, f"The requested resource {request.url.path} was not found")

    def _refusal(self, request: Request) -> Response | None:
        try:
            check_basic_auth(request, ACCOUNT_SID, self._token)
        except AuthenticationError:
            return _error(401, 20003, "Authenticate")
        return None if request.path_params["sid"] == ACCOUNT_SID else _error(404, 20404, "The requested resource was not found")


def _message(to: str, sender: str, body: str) -> dict[str, Any]:
    sid, now = f"SM{secrets.token_hex(16)}", format_datetime(datetime.now(UTC))
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}"
    return {
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": body,
        "date_created": now,
        "date_sent": None,
        "date_updated": now,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": sender,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": str(1 + len(body) // 160),
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": to,
        "uri": f"{path}.json",
    }


def _error(status: int, code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse({"code": code, "message": message, "more_info": more, "status": status}, status)
