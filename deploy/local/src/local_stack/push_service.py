"""A push service (RFC 8030) that asks who sends (RFC 8292), and browsers that open what they get (RFC 8291)."""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local_stack.provider_faults import Faults

_LARGEST_BYTES = 4096
_LONGEST_TOPIC = 32
_LONGEST_TOKEN_SECONDS = 24 * 3600 + 60


@dataclass
class Browser:
    """A browser with its keys and all that it was sent."""

    private_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    messages: list[dict[str, Any]] = field(default_factory=list)

    def public_keys(self) -> dict[str, str]:
        """What a browser hands to the page that subscribes."""
        point = self.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": _b64(point), "auth": _b64(self.auth)}

    def open(self, sealed: bytes) -> Any:
        """The payload; raises http_ece's or cryptography's errors for what was not sealed for this browser."""
        opened = http_ece.decrypt(sealed, private_key=self.private_key, auth_secret=self.auth, version="aes128gcm")
        return json.loads(opened)


class PushService:
    """Takes messages for its browsers."""

    def __init__(self, faults: Faults) -> None:
        self._browsers: dict[str, Browser] = {}
        self._faults = faults

    def routes(self) -> list[Route]:
        """What application servers use."""
        return [Route("/push/{id}", self._push, methods=["POST"])]

    def control_routes(self) -> list[Route]:
        """What tests use."""
        return [
            Route("/control/browsers", self._new_browser, methods=["POST"]),
            Route("/control/browsers/{id}", self._browser, methods=["GET", "DELETE"]),
        ]

    async def _new_browser(self, request: Request) -> Response:
        name, browser = secrets.token_urlsafe(24), Browser()
        self._browsers[name] = browser
        endpoint = f"{request.url.scheme}://{request.url.netloc}/push/{name}"
        return JSONResponse({"endpoint": endpoint, "expirationTime": None, "keys": browser.public_keys()}, 201)

    async def _browser(self, request: Request) -> Response:
        name = request.path_params["id"]
        if request.method == "DELETE":
            self._browsers.pop(name, None)
            return Response(status_code=204)
        return JSONResponse({"messages": self._browsers[name].messages})

    async def _push(self, request: Request) -> Response:
        body = await request.body()

        async def act() -> Response:
            return self._take(request, body)

        return await self._faults.around(act)

    def _take(self, request: Request, body: bytes) -> Response:
        browser = self._browsers.get(request.path_params["id"])
        if browser is None:
            return PlainTextResponse("push subscription has unsubscribed or expired", 410)
        refusal = _refusal(request, body)
        if refusal is not None:
            return refusal
        headers = {name: request.headers.get(name) for name in ("ttl", "topic", "urgency")}
        browser.messages.append({**headers, "payload": browser.open(body)})
        location = f"{request.url.scheme}://{request.url.netloc}/message/{secrets.token_urlsafe(12)}"
        return Response(status_code=201, headers={"Location": location, "TTL": request.headers["ttl"]})


def _refusal(request: Request, body: bytes) -> Response | None:
    """What is wrong with a request, as the RFCs ask a push service to answer it."""
    if not request.headers.get("ttl", "").isdigit():
        return PlainTextResponse("TTL is missing", 400)
    if len(request.headers.get("topic", "")) > _LONGEST_TOPIC:
        return PlainTextResponse("Topic is too long", 400)
    if len(body) > _LARGEST_BYTES:
        return PlainTextResponse("payload too large", 413)
    if request.headers.get("content-encoding") != "aes128gcm":
        return PlainTextResponse("Content-Encoding must be aes128gcm", 400)
    scheme, _, parameters = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "vapid":
        return PlainTextResponse("VAPID is required", 401)
    named = dict(part.strip().split("=", 1) for part in parameters.split(",") if "=" in part)
    origin = f"{request.url.scheme}://{request.url.netloc}"
    is_signed = _is_signed(named.get("t", ""), named.get("k", ""), origin)
    return None if is_signed else PlainTextResponse("the VAPID token is not valid", 403)


def _is_signed(token: str, key: str, origin: str) -> bool:
    try:
        point = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        x, y = _b64(point[1:33]), _b64(point[33:])
        claims = jwt.decode(token, ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y}), algorithms=["ES256"]).claims
        left = int(claims["exp"]) - time.time()
        return claims["aud"] == origin and 0 < left < _LONGEST_TOKEN_SECONDS and str(claims["sub"]).startswith("mailto:")
    except (JoseError, ValueError, KeyError, TypeError):
        return False


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
