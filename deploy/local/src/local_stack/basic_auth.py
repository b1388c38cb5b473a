"""HTTP Basic authentication as the simulated providers ask for it."""

import base64
import binascii
import hmac

from starlette.authentication import AuthenticationError
from starlette.requests import Request


def check_basic_auth(request: Request, name: str, password: str) -> None:
    """Raise AuthenticationError unless the request names just this user and password."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        given = b""
    if scheme.lower() != "basic" or not hmac.compare_digest(given, f"{name}:{password}".encode()):
        raise AuthenticationError
