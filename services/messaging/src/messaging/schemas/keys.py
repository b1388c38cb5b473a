"""Bodies for services that may read texts."""

from __future__ import annotations

from messaging.schemas.fields import Response


class KeyResponse(Response):
    """A data key: 32 bytes in standard base64."""

    key: str
