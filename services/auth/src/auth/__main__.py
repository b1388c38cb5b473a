"""The processes and commands of auth: `python -m auth api`, `relay`, `migrate`, and those that administer it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

import asyncpg

from auth.clients.master_key import MasterKey, read_master_key
from auth.clients.passwords import PasswordHashing
from auth.domain.outcomes import UnknownTenant
from auth.domain.tenants import SLUG
from auth.domain.users import Profile
from auth.schemas.fields import read_email
from auth.settings import Settings
from auth.use_cases import registration, tenants
from auth.use_cases.signing_keys import keep_signing_keys
from bloom_events.auth import Role
from bloom_events.ids import new_id
from service_kit.commands import add_commands, run_command
from service_kit.database import Pool, create_pool
from service_kit.errors import Problem
from service_kit.unit_of_work import Context, UnitOfWork, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

_ADMINISTRATION = frozenset({"create-tenant", "create-administrator", "rotate-keys"})


def main(arguments: list[str] | None = None) -> None:
    chosen = _parser().parse_args(arguments)
    settings = Settings()
    if chosen.command in _ADMINISTRATION:
        print(_administer(chosen, settings))
    else:
        run_command(chosen.command, settings, _load_app)


def _load_app() -> Callable[[Settings], FastAPI]:
    from auth.main import create_app

    return create_app


def _administer(chosen: argparse.Namespace, settings: Settings) -> str:
    """Run a command and give what it made; an outcome that is no success ends the process with its title."""
    try:
        if chosen.command == "create-tenant":
            return asyncio.run(_create_tenant(settings, slug=chosen.slug, name=chosen.name))
        if chosen.command == "create-administrator":
            return asyncio.run(_create_administrator(settings, chosen, _password()))
        return asyncio.run(_rotate_keys(settings))
    except (Problem, ValueError) as refused:
        raise SystemExit(f"auth {chosen.command}: {refused}") from None


async def _create_tenant(settings: Settings, *, slug: str, name: str) -> str:
    if settings.migration_database_url is None:
        raise ValueError("AUTH_MIGRATION_DATABASE_URL is not set: only the owner role makes tenants")
    owner = await asyncpg.connect(settings.migration_database_url.get_secret_value(), timeout=10)
    try:
        return str(await tenants.create_tenant(owner, slug=slug, name=name, now=utc_now()))
    finally:
        await owner.close()


async def _create_administrator(settings: Settings, chosen: argparse.Namespace, password: str) -> str:
    async with await _pool(settings) as database:
        tenant_id = await tenants.find_tenant(database, chosen.tenant)
        if tenant_id is None:
            raise UnknownTenant
        uow = UnitOfWork(database, source=settings.source, context=Context(tenant_id=tenant_id, correlation_id=new_id()))
        email = read_email(chosen.email)
        hashing = PasswordHashing(settings.hashing)
        password_hash = await registration.hash_new_password(hashing, password, email=email)
        newcomer = registration.Newcomer(email=email, profile=Profile(), password_hash=password_hash)
        user = await registration.register(uow, newcomer, role=Role.ADMINISTRATOR, now=utc_now())
        hashing.close()
        return str(user.id)


async def _rotate_keys(settings: Settings) -> str:
    master_key = MasterKey(read_master_key(settings.master_key.get_secret_value()))
    async with await _pool(settings) as database:
        upkeep = await keep_signing_keys(database, master_key, policy=settings.signing_keys, now=utc_now(), is_asked=True)
    if upkeep.made is None:
        raise ValueError("a new key is published already and has not begun to sign")
    return f"{upkeep.made.kid} signs from {upkeep.made.activates_at:%Y-%m-%dT%H:%M:%SZ}"


async def _pool(settings: Settings) -> Pool:
    return await create_pool(settings.database_url, size=1, application_name="auth-command")


def _password() -> str:
    """From the environment, else one line of standard input: never an argument, which other users of the machine could read."""
    return os.environ.get("AUTH_ADMINISTRATOR_PASSWORD") or sys.stdin.readline().rstrip("\r\n")


def _slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise argparse.ArgumentTypeError("a short name has lower case letters, digits and hyphens, at most 63 of them")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m auth", description=__doc__)
    commands = add_commands(parser)
    tenant = commands.add_parser("create-tenant", help="make an organisation and print its id")
    tenant.add_argument("--slug", required=True, type=_slug, help="short name, such as bloom")
    tenant.add_argument("--name", required=True, help="name as people know it")
    administrator = commands.add_parser("create-administrator", help="make an administrator and print the id")
    administrator.add_argument("--tenant", required=True, help="short name of the organisation")
    administrator.add_argument("--email", required=True, help="address to sign in with; the password comes by standard input")
    commands.add_parser("rotate-keys", help="publish the next signing key ahead of its time and print its id")
    return parser


if __name__ == "__main__":
    main()
