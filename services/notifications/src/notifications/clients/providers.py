"""The providers of this installation, each on connections of its own, so that one that hangs holds up no other."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from bloom_events.notifications import Channel
from notifications.clients.configs import MailConfig, PushConfig, SmsConfig
from notifications.clients.mail import MailProvider
from notifications.clients.push import PushProvider
from notifications.clients.sms import SmsProvider
from notifications.domain.providing import Provider


def open_providers(
    *, mail: MailConfig | None, sms: SmsConfig | None, push: PushConfig | None, portal_url: str
) -> Mapping[Channel, Provider]:
    """Who serves each channel; a channel that nothing is configured for has nobody. Whoever uses one closes it."""
    providers: dict[Channel, Provider] = {}
    if mail is not None:
        providers[Channel.EMAIL] = MailProvider(mail, _client(), portal_url=portal_url)
    if sms is not None:
        providers[Channel.SMS] = SmsProvider(sms, _client(), portal_url=portal_url)
    if push is not None:
        providers[Channel.PUSH] = PushProvider(push, _client(), portal_url=portal_url)
    return providers


def _client() -> httpx.AsyncClient:
    # The environment's proxies are for people, and a redirect could lead a subscriber's endpoint anywhere.
    return httpx.AsyncClient(trust_env=False, follow_redirects=False)
