"""Composition root of the API: settings in, wired app out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from notifications.clients.configs import public_key
from notifications.clients.master_key import UNSUBSCRIBE_LINKS as LINKS_KEY
from notifications.clients.master_key import NoteSeal, derived_key, read_master_key
from notifications.dependencies import NOTE_SEAL, PUSH_OFFER, UNSUBSCRIBE_LINKS
from notifications.domain.reaching import PushOffer
from notifications.domain.unsubscribing import UnsubscribeLinks
from notifications.routes.alerts import alerts
from notifications.routes.chains import chains
from notifications.routes.preferences import preferences
from notifications.routes.unsubscribing import unsubscribing
from notifications.settings import Settings
from service_kit.http_app import create_service_app


def create_app(settings: Settings) -> FastAPI:
    """The API of alerts and notifications."""

    @asynccontextmanager
    async def keys(app: FastAPI) -> AsyncIterator[None]:
        master_key = read_master_key(settings.master_key.get_secret_value())
        app.state.kit.resources |= {
            NOTE_SEAL: NoteSeal(master_key),
            UNSUBSCRIBE_LINKS: UnsubscribeLinks([derived_key(master_key, LINKS_KEY)]),
            PUSH_OFFER: _push_offer(settings),
        }
        yield

    return create_service_app(
        settings,
        title="Bloom notifications",
        description="Alerts about patients at risk, the chain of people who are called, and the notifications that people get."
        " All times are UTC.",
        # The fixed path comes first: /api/alerts/chain must not be read as an id.
        routers=[chains, alerts, preferences, unsubscribing],
        resources=[keys],
        # What browsers and mail programs post to an unsubscribe link (RFC 8058).
        media_types=frozenset({"application/x-www-form-urlencoded", "multipart/form-data"}),
    )


def _push_offer(settings: Settings) -> PushOffer:
    push = settings.push
    key = public_key(push.private_key) if push else None
    return PushOffer(key, settings.push_services, plain_http=settings.allows_plain_http)
