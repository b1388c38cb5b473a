"""Who is let in, and when a connection has to end: with its token, its session, its account."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from services.messaging.tests.integration.sockets.conftest import RefusedError, token_of

from bloom_events.auth import SessionRevoked
from bloom_events.ids import SessionId, UserId
from messaging.clients.wake import Waker
from service_kit.testing import TokenIssuer

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Person, Practice
    from services.messaging.tests.integration.sockets.conftest import Client, Connect, SocketProcess, StartSockets


async def seconds_until_over(client: Client) -> float:
    begun = time.monotonic()
    assert await client.has(lambda me: me.is_over)
    return time.monotonic() - begun


async def end_session(practice: Practice, person: Person, session_id: UUID) -> None:
    revoked = SessionRevoked(session_id=SessionId(session_id), user_id=UserId(person.id), reason="signed_out")
    await practice.hear(revoked)


@pytest.mark.promise("AU12")
@pytest.mark.parametrize(
    "claims", [{"exp": 1}, {"aud": "another"}, {"iss": "https://elsewhere.test"}, {"sid": None}, {"role": None}]
)
async def test_a_token_that_is_over_or_not_for_here_lets_nobody_in(
    practice: Practice, sockets: SocketProcess, connect: Connect, claims: dict[str, Any]
) -> None:
    patient, _, _ = await practice.pair()
    with pytest.raises(RefusedError, match="unauthorized"):
        await connect(sockets, patient, claims=claims)


@pytest.mark.promise("AU12")
async def test_a_token_of_another_issuer_lets_nobody_in(practice: Practice, sockets: SocketProcess, connect: Connect) -> None:
    patient, _, _ = await practice.pair()
    with pytest.raises(RefusedError, match="unauthorized"):
        await connect(sockets, patient, token=token_of(patient, issuer=TokenIssuer(kid="test-key")))


@pytest.mark.promise("AU12")
async def test_a_session_that_ended_and_a_suspended_account_are_not_let_in_with_a_token_that_is_still_good(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, _ = await practice.pair()
    session_id = uuid4()
    await end_session(practice, patient, session_id)
    with pytest.raises(RefusedError, match="unauthorized"):
        await connect(sockets, patient, token=token_of(patient, session_id=session_id))
    await connect(sockets, patient)
    await practice.suspend(therapist)
    with pytest.raises(RefusedError, match="unauthorized"):
        await connect(sockets, therapist)


@pytest.mark.promise("AU12")
async def test_a_connection_ends_within_a_second_of_its_token_unless_a_younger_one_comes(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, _ = await practice.pair()
    until, session_id = int(time.time()) + 4, uuid4()
    ends = await connect(sockets, patient, claims={"exp": until})
    stays = await connect(sockets, therapist, token=token_of(therapist, session_id=session_id, exp=until))
    renewed = await stays.ask("renew", {"token": token_of(therapist, session_id=session_id)})
    assert renewed == {"ok": True}
    assert await ends.has(lambda me: me.is_over)
    assert 0 <= time.time() - until < 1.0
    assert ends.of("ended") == [{"reason": "token-expired"}]
    assert not stays.is_over
    assert (await stays.ask("nothing"))["error"] == "unknown-event"


async def test_a_connection_is_renewed_by_a_token_of_its_own_session_alone(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, _ = await practice.pair()
    session_id = uuid4()
    client = await connect(sockets, patient, token=token_of(patient, session_id=session_id))
    for token in (
        token_of(patient),
        token_of(therapist, session_id=session_id),
        token_of(patient, session_id=session_id, exp=1),
        token_of(patient, session_id=session_id, role="THERAPIST"),
        "nonsense",
    ):
        assert await client.ask("renew", {"token": token}) == {"ok": False, "error": "unauthorized"}
    assert not client.is_over


@pytest.mark.promise("AU12")
@pytest.mark.parametrize("wakes", ["arrive", "are lost"])
async def test_a_revoked_session_is_cut_within_a_second_on_every_process_and_others_stay(
    practice: Practice, start_sockets: StartSockets, connect: Connect, wakes: str
) -> None:
    practice.app.state.kit.resources["waker"], waker = (practice.waker if wakes == "arrive" else Waker(None)), practice.waker
    try:
        first, second = await start_sockets(), await start_sockets()
        patient, _, _ = await practice.pair()
        session_id = uuid4()
        token = token_of(patient, session_id=session_id)
        cut = [await connect(first, patient, token=token), await connect(second, patient, token=token)]
        stays = await connect(first, patient)
        await end_session(practice, patient, session_id)
        spent = await asyncio.gather(*(seconds_until_over(client) for client in cut))
        assert max(spent) < 1.0
        assert [client.of("ended") for client in cut] == [[{"reason": "session-ended"}]] * 2
        assert not stays.is_over
    finally:
        practice.app.state.kit.resources["waker"] = waker


@pytest.mark.promise("AU12")
async def test_a_suspended_account_is_cut_within_a_second(practice: Practice, sockets: SocketProcess, connect: Connect) -> None:
    patient, therapist, conversation = await practice.pair()
    client, other = await connect(sockets, patient), await connect(sockets, therapist)
    await practice.suspend(patient)
    assert await seconds_until_over(client) < 1.0
    assert client.of("ended") == [{"reason": "account-suspended"}]
    await therapist.send(conversation, "Not for a suspended account")
    await other.heard("new-message")
    assert client.of("new-message") == []


async def test_a_person_has_as_many_connections_as_the_limit_says(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    process = await start_sockets(socket_most_per_person=2)
    patient, therapist, _ = await practice.pair()
    first, _ = await connect(process, patient), await connect(process, patient)
    with pytest.raises(RefusedError, match="too-many-connections"):
        await connect(process, patient)
    await connect(process, therapist)
    await first.close()
    assert await first.has(lambda me: me.is_over)
    for _ in range(100):
        try:
            await connect(process, patient)
        except RefusedError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail("the place of a connection that ended stays taken")


async def test_a_process_takes_as_many_connections_as_the_limit_says(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    process = await start_sockets(socket_most_connections=1)
    patient, therapist, _ = await practice.pair()
    await connect(process, patient)
    with pytest.raises(RefusedError):
        await connect(process, therapist)


async def test_whoever_connects_while_the_database_is_away_is_told_to_come_back(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    patient, _, _ = await practice.pair()
    nowhere = type(practice.app.state.kit.settings.database_url)("postgresql://nobody@127.0.0.1:1/nothing")
    process = await start_sockets(database_url=nowhere, database_acquire_seconds=0.5)
    with pytest.raises(RefusedError, match="service-unavailable"):
        await connect(process, patient)
