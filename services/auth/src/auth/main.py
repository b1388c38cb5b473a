"""Composition root of the API: settings in, wired app out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from auth.clients.access_tokens import AccessTokenIssuer
from auth.clients.master_key import MasterKey, read_master_key
from auth.clients.passwords import PasswordHashing
from auth.routes import internal, keys, registration, sessions, users
from auth.settings import Settings
from auth.use_cases.sign_in import SignInTools
from auth.use_cases.signing_keys import renew_signing_keys
from service_kit.database import Pool
from service_kit.errors import ServiceUnavailable
from service_kit.http_app import create_service_app
from service_kit.logs import get_logger
from service_kit.request_scope import Kit
from service_kit.tokens import TokenVerifier

_log = get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The whole API of auth; nothing is opened before its lifespan begins."""

    @asynccontextmanager
    async def sign_in_tools(app: FastAPI) -> AsyncIterator[None]:
        kit: Kit = app.state.kit
        master_key = MasterKey(read_master_key(settings.master_key.get_secret_value()))
        issuer = AccessTokenIssuer(settings.access_tokens, master_key)
        hashing = PasswordHashing(settings.hashing)
        kit.resources["sign_in"] = SignInTools(
            hashing=hashing, issuer=issuer, keys=master_key.token_keys(), sessions=settings.sessions, lockout=settings.lockout
        )
        kit.tokens = _own_verifier(kit, issuer, settings)
        await _read_keys(kit, issuer, master_key, settings)
        upkeep = asyncio.create_task(_keep_keys(kit, issuer, master_key, settings))
        try:
            yield
        finally:
            upkeep.cancel()
            hashing.close()

    routers = [registration.router, sessions.router, users.router, keys.router, internal.router]
    return create_service_app(settings, title="Bloom auth", routers=routers, resources=[sign_in_tools])


def _own_verifier(kit: Kit, issuer: AccessTokenIssuer, settings: Settings) -> TokenVerifier:
    return TokenVerifier(
        issuer.own_keys, issuer=settings.token_issuer, audience=settings.token_audience, now=lambda: kit.clock().timestamp()
    )


async def _read_keys(kit: Kit, issuer: AccessTokenIssuer, master_key: MasterKey, settings: Settings) -> None:
    made = await renew_signing_keys(_pool(kit), issuer, master_key, policy=settings.signing_keys, now=kit.clock())
    if made is not None:
        _log.info("signing_key.made", kid=made.kid, activates_at=made.activates_at.isoformat())


async def _keep_keys(kit: Kit, issuer: AccessTokenIssuer, master_key: MasterKey, settings: Settings) -> None:
    """Look after the keys for as long as the process runs; while the database is away the keys at hand stay in use."""
    while True:
        await asyncio.sleep(settings.signing_key_check_seconds)
        try:
            await _read_keys(kit, issuer, master_key, settings)
        except Exception as error:  # any failure is tried again in the next round, and must not end the rounds
            _log.warning("signing_keys.not_read", exc_info=error)


def _pool(kit: Kit) -> Pool:
    if kit.database is None:
        raise ServiceUnavailable
    return kit.database
