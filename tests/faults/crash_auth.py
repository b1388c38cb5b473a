"""Every command of auth, each with people of its own to do it on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from tests.faults.stands import Answer, Command, Send, Stand

from auth.clients.master_key import MasterKey
from auth.use_cases.signing_keys import keep_signing_keys

PASSWORD = "seven green bottles"
NEW_PASSWORD = "eight green bottles"
_TENANT = "insert into tenants (id, slug, name, created_at) values ($1, $2, 'A practice', now())"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody with a session."""

    user_id: UUID
    bearer: dict[str, str]
    session: dict[str, str]


class Organisation:
    """A tenant with the means to fill it through the API."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.id = uuid4()
        self.slug = f"t-{self.id.hex[:12]}"

    async def open(self) -> Organisation:
        await self.stand.database.connection.execute(_TENANT, self.id, self.slug)
        return self

    def newcomer(self, name: str, **more: str) -> dict[str, str]:
        return {"email": f"{name}@example.test", "password": PASSWORD, "tenant": self.slug, **more}

    async def register(self, name: str, **more: str) -> UUID:
        answer = await _good(self.stand.ask("POST", "/api/auth/register", self.newcomer(name, **more)))
        return UUID(json.loads(answer.body)["id"])

    async def signed_in(self, name: str, role: str = "PATIENT") -> SignedIn:
        """Registers somebody, gives them the role as the command line does, and signs them in."""
        user_id = await self.register(name)
        await self.stand.database.connection.execute("update users set role = $2 where id = $1", user_id, role)
        answer = await _good(self.sign_in(name))
        return signed_in(user_id, answer)

    async def sign_in(self, name: str, password: str = PASSWORD) -> Answer:
        body = {"email": f"{name}@example.test", "password": password, "tenant": self.slug}
        return await self.stand.ask("POST", "/api/auth/sign-in", body)

    async def invited(self, name: str) -> str:
        """The token of an invitation."""
        administrator = await self.signed_in("admin", "ADMINISTRATOR")
        body = {"email": f"{name}@example.test"}
        answer = await _good(self.stand.ask("POST", "/api/auth/invitations", body, headers=administrator.bearer))
        return str(json.loads(answer.body)["token"])


def signed_in(user_id: UUID, answer: Answer) -> SignedIn:
    """Reads the tokens off an answer of sign-in or refresh."""
    told = json.loads(answer.body)
    cookie = dict(answer.headers or {})["set-cookie"].partition("bloom_refresh=")[2].partition(";")[0]
    session = {"Cookie": f"bloom_refresh={cookie}", "X-CSRF-Token": told["csrf_token"]}
    return SignedIn(user_id, {"Authorization": f"Bearer {told['access_token']}"}, session)


async def _good(asked: Awaitable[Answer]) -> Answer:
    answer = await asked
    if answer.status >= 300:
        raise RuntimeError(f"the scene could not be made: {answer.status} {answer.body.decode()}")
    return answer


def _registering(**more: str) -> Callable[[Stand], Awaitable[Send]]:
    async def prepare(stand: Stand) -> Send:
        there, key = await Organisation(stand).open(), str(uuid4())
        return lambda: stand.ask("POST", "/api/auth/register", there.newcomer("robin", **more), key=key)

    return prepare


async def _registering_by_invitation(stand: Stand) -> Send:
    there, key = await Organisation(stand).open(), str(uuid4())
    token = await there.invited("kim")
    body = there.newcomer("kim", role="THERAPIST", displayName="Dr. Kim Reed", invitationToken=token)
    return lambda: stand.ask("POST", "/api/auth/register", body, key=key)


async def _inviting(stand: Stand) -> Send:
    there, key = await Organisation(stand).open(), str(uuid4())
    administrator = await there.signed_in("admin", "ADMINISTRATOR")
    body = {"email": "kim@example.test"}
    return lambda: stand.ask("POST", "/api/auth/invitations", body, headers=administrator.bearer, key=key)


def _signing_in(password: str) -> Callable[[Stand], Awaitable[Send]]:
    async def prepare(stand: Stand) -> Send:
        there = await Organisation(stand).open()
        await there.register("robin")
        return lambda: there.sign_in("robin", password)

    return prepare


def _with_session(method: str, path: str, body: dict[str, str] | None = None) -> Callable[[Stand], Awaitable[Send]]:
    """A command of somebody who is signed in twice, by cookie and by token."""

    async def prepare(stand: Stand) -> Send:
        there = await Organisation(stand).open()
        robin = await there.signed_in("robin")
        await _good(there.sign_in("robin"))
        headers = {**robin.bearer, **robin.session, "If-Match": '"1"'}
        return lambda: stand.ask(method, path, body, headers=headers)

    return prepare


async def _using_a_spent_refresh_token(stand: Stand) -> Send:
    there = await Organisation(stand).open()
    robin = await there.signed_in("robin")
    for _ in range(2):
        stand.clock.advance(minutes=1)
        fresh = signed_in(robin.user_id, await _good(stand.ask("POST", "/api/auth/refresh", headers=robin.session)))
        stale, robin = robin, fresh
    stand.clock.advance(minutes=1)
    return lambda: stand.ask("POST", "/api/auth/refresh", headers=stale.session)


def _administering(*path: str, **more: str) -> Callable[[Stand], Awaitable[Send]]:
    """The last of these is the command, those before it lead to it."""

    async def prepare(stand: Stand) -> Send:
        there = await Organisation(stand).open()
        administrator = await there.signed_in("admin", "ADMINISTRATOR")
        subject = await there.register("robin", **more)
        if not more:
            await _good(there.sign_in("robin"))
        for step in path[:-1]:
            await _good(stand.ask("POST", f"/api/users/{subject}/{step}", headers=administrator.bearer))
        return lambda: stand.ask("POST", f"/api/users/{subject}/{path[-1]}", headers=administrator.bearer)

    return prepare


async def _rotating_keys(stand: Stand) -> Send:
    master_key, policy = MasterKey(b"k" * 32), stand.app.state.kit.settings.signing_keys

    async def rotate() -> None:
        await keep_signing_keys(stand.pool, master_key, policy=policy, now=stand.clock(), is_asked=True)

    for _ in range(2):
        await rotate()
        # By then the key made last signs, the next may be made, and the one before is over.
        stand.clock.advance(hours=1)
    return stand.doing(rotate)


_THERAPIST = {"role": "THERAPIST", "displayName": "Dr. Robin Vale"}
_CHANGED = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
# A try at a password is counted before the password is looked at, so that nobody gets tries for free by hanging up.
_TRIES = frozenset({"sign_in_tries"})

COMMANDS = (
    Command("register a patient", _registering(), 201, keyed=True),
    Command("register a therapist", _registering(**_THERAPIST), 201, keyed=True),
    Command("register by invitation", _registering_by_invitation, 201, keyed=True),
    Command("invite a therapist", _inviting, 201, keyed=True),
    Command("sign in", _signing_in(PASSWORD), apart=_TRIES),
    Command("sign in with a wrong password", _signing_in("nine green bottles"), 401),
    Command("refresh", _with_session("POST", "/api/auth/refresh")),
    Command("use a spent refresh token", _using_a_spent_refresh_token, 401),
    Command("sign out", _with_session("POST", "/api/auth/sign-out"), 204),
    Command("sign out everywhere", _with_session("POST", "/api/auth/sign-out-everywhere")),
    Command("change the password", _with_session("POST", "/api/auth/change-password", _CHANGED), 204),
    Command("change the profile", _with_session("PATCH", "/api/users/me", {"displayName": "Robin Vale"})),
    Command("verify a therapist", _administering("verify", **_THERAPIST)),
    Command("suspend a user", _administering("suspend")),
    Command("reinstate a user", _administering("suspend", "reinstate")),
    Command("rotate the signing keys", _rotating_keys, 204),
)
