"""Composition root of the API: settings in, wired app out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI

from messaging.clients.keys.choosing import open_keyring
from messaging.clients.objects.choosing import open_store
from messaging.clients.wake import Waker
from messaging.routes.attachments import attachments
from messaging.routes.conversations import conversations
from messaging.routes.internal import internal
from messaging.routes.messages import messages
from messaging.routes.reading import reading
from messaging.settings import Settings
from service_kit.http_app import create_service_app


def create_app(settings: Settings) -> FastAPI:
    """The API of conversations and messages."""

    @asynccontextmanager
    async def keyring(app: FastAPI) -> AsyncIterator[None]:
        async with aclosing(open_keyring(settings)) as opened:
            app.state.kit.resources.setdefault("keyring", opened)
            yield

    @asynccontextmanager
    async def waker(app: FastAPI) -> AsyncIterator[None]:
        async with Waker(settings.valkey_url) as opened:
            app.state.kit.resources.setdefault("waker", opened)
            yield

    @asynccontextmanager
    async def objects(app: FastAPI) -> AsyncIterator[None]:
        if settings.store is None:
            yield
            return
        async with aclosing(open_store(settings.store)) as opened:
            app.state.kit.resources.setdefault("objects", opened)
            yield

    return create_service_app(
        settings,
        title="Bloom messaging",
        description="Conversations between patients and those who care for them. All times are UTC.",
        routers=[conversations, reading, messages, attachments, internal],
        resources=[keyring, waker, objects],
    )
