"""OAuth tokens for aiokafka, by the client credentials grant; confluent-kafka gets its own."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from aiokafka.abc import AbstractTokenProvider

from service_kit.kafka_access import TokenEndpoint

_ANSWER_SECONDS = 5.0
# A token is asked for anew this long before it ends, so that none ends on the way to a broker.
_EARLY_SECONDS = 30.0


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """Gives the token at hand until shortly before it ends; raises httpx.HTTPError while the endpoint refuses or is away."""

    def __init__(
        self, endpoint: TokenEndpoint, *, ca_file: Path | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._monotonic = monotonic
        self._token = ""
        self._good_until = float("-inf")

    async def token(self) -> str:
        """A token that is good for some time yet."""
        if self._monotonic() >= self._good_until:
            await self._renew()
        return self._token

    async def _renew(self) -> None:
        endpoint = self._endpoint
        form = {"grant_type": "client_credentials", **({"scope": endpoint.scope} if endpoint.scope else {})}
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=self._ca_file), timeout=_ANSWER_SECONDS) as client:
            answer = await client.post(
                endpoint.url, data=form, auth=(endpoint.client_id, endpoint.client_secret.get_secret_value())
            )
        answer.raise_for_status()
        granted = answer.json()
        self._token = str(granted["access_token"])
        self._good_until = self._monotonic() + float(granted.get("expires_in", 0)) - _EARLY_SECONDS
