"""Presence and typing over several processes, with and without Valkey, and after a process died."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from messaging.clients.presence import PresenceStore

if TYPE_CHECKING:
    from services.messaging.tests.integration.conftest import Practice
    from services.messaging.tests.integration.sockets.conftest import Connect, SocketProcess, StartSockets

    from local_stack.valkey import ValkeyServer


@pytest.mark.promise("MS6", "MS9")
async def test_those_who_share_a_conversation_see_somebody_come_and_go_over_processes(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    first, second = await start_sockets(), await start_sockets()
    patient, therapist, conversation = await practice.pair()
    stranger, _, _ = await practice.pair()
    watching, unconcerned = await connect(first, therapist), await connect(first, stranger)
    assert await watching.ask("presence", {"conversationId": conversation}) == {"ok": True, "online": [str(therapist.id)]}
    phone, laptop = await connect(second, patient), await connect(first, patient)
    assert await watching.heard("presence") == [{"userId": str(patient.id), "online": True}]
    online = (await watching.ask("presence", {"conversationId": conversation}))["online"]
    assert sorted(online) == sorted([str(patient.id), str(therapist.id)])
    await phone.close()
    await laptop.close()
    assert await watching.heard("presence", 2) == [
        {"userId": str(patient.id), "online": True},
        {"userId": str(patient.id), "online": False},
    ]
    assert unconcerned.of("presence") == []


@pytest.mark.promise("MS6")
async def test_somebody_who_comes_back_at_once_was_never_away(
    practice: Practice, sockets: SocketProcess, connect: Connect
) -> None:
    patient, therapist, conversation = await practice.pair()
    watching, client = await connect(sockets, therapist), await connect(sockets, patient)
    await watching.heard("presence")
    await client.close()
    back = await connect(sockets, patient)
    await back.client.emit("typing", {"conversationId": conversation})
    await watching.heard("user-typing")
    assert [each["online"] for each in watching.of("presence")] in ([True], [True, True])


@pytest.mark.promise("MS5", "MS9")
async def test_typing_is_seen_on_every_process_by_the_others_once_a_second(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    first, second = await start_sockets(), await start_sockets()
    patient, therapist, conversation = await practice.pair()
    mine, here, there = await connect(first, patient), await connect(first, therapist), await connect(second, therapist)
    for _ in range(5):
        assert await mine.ask("typing", {"conversationId": conversation}) == {"ok": True}
    for client in (here, there):
        assert await client.heard("user-typing") == [{"conversationId": conversation, "userId": str(patient.id)}]
    assert mine.of("user-typing") == []


@pytest.mark.promise("MS5", "MS6")
async def test_without_valkey_people_of_one_process_still_see_each_other(
    practice: Practice, start_sockets: StartSockets, connect: Connect
) -> None:
    process = await start_sockets(valkey_url=None)
    patient, therapist, conversation = await practice.pair()
    watching, client = await connect(process, therapist), await connect(process, patient)
    await watching.heard("presence")
    await client.ask("typing", {"conversationId": conversation})
    await watching.heard("user-typing")
    online = (await watching.ask("presence", {"conversationId": conversation}))["online"]
    assert sorted(online) == sorted([str(patient.id), str(therapist.id)])


@pytest.mark.promise("MS6")
async def test_the_people_of_a_process_that_died_are_found_once_by_another_one(
    practice: Practice, valkey_server: ValkeyServer
) -> None:
    dead, alive = (PresenceStore(SecretStr(valkey_server.url), name, lifetime_seconds=0.2) for name in ("dead", "alive"))
    patient, therapist = practice.person("PATIENT").id, practice.person("THERAPIST").id
    assert await dead.enter(practice.tenant_id, patient)
    assert await dead.enter(practice.tenant_id, therapist)
    assert not await alive.enter(practice.tenant_id, therapist)
    found = []
    for _ in range(400):
        await alive.renew([(practice.tenant_id, therapist)])
        found += [user for tenant, user in await alive.sweep() if tenant == practice.tenant_id]
        if patient in found:
            break
    assert found == [patient]
    assert await alive.online_among(practice.tenant_id, [patient, therapist]) == [therapist]
    assert await alive.leave(practice.tenant_id, therapist)
    await dead.close()
    await alive.close()
