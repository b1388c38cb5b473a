"""Asks auth how somebody is reached."""

from __future__ import annotations

from urllib.parse import quote

import httpx

from bloom_events.ids import TenantId, UserId
from notifications.domain.reaching import Contact
from service_kit.errors import ServiceUnavailable
from service_kit.service_tokens import ServiceTokenSigner

_ASK_SECONDS = 5.0


class AuthClient:
    """Calls auth's internal routes in the name of notifications."""

    def __init__(self, url: str, signer: ServiceTokenSigner) -> None:
        self._url = url
        self._http = httpx.AsyncClient(trust_env=False)
        self._signer = signer

    async def close(self) -> None:
        await self._http.aclose()

    async def get_contact(self, tenant_id: TenantId, user_id: UserId) -> Contact:
        """What auth knows of somebody; raises ServiceUnavailable while it cannot say, and for somebody whom it does not know."""
        try:
            answer = await self._http.get(
                f"{self._url}/internal/contacts/{quote(str(user_id))}",
                headers=self._signer.headers("auth", tenant_id),
                timeout=_ASK_SECONDS,
            )
            answer.raise_for_status()
            said = answer.json()
            return Contact(str(said["email"]), said["locale"], said["timeZone"], int(said["revision"]))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ServiceUnavailable("Auth does not answer.") from error
