"""Key-encryption keys in Google Cloud KMS, spoken to by Google's own client over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import grpc
import pytest
from google.cloud.kms_v1 import KeyManagementServiceAsyncClient
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcAsyncIOTransport
from services.messaging.tests.integration.fake_google_kms import FakeGoogleKms

from bloom_events.ids import ConversationId, TenantId
from local_stack.ports import free_port
from messaging.clients.keys.google_keys import GoogleKeys
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.port import KeyRefused
from messaging.domain.keys import KeyPlace, WrappedKey
from service_kit.errors import ServiceUnavailable

SECRET = bytes(range(32))
PLACE = KeyPlace(TenantId(uuid4()), ConversationId(uuid4()), 1)
KEY = "projects/bloom/locations/europe-west3/keyRings/messaging/cryptoKeys/conversations"


def keys_at(address: str, key: str = KEY) -> GoogleKeys:
    transport = KeyManagementServiceGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(address))
    return GoogleKeys(KeyManagementServiceAsyncClient(transport=transport), key)


@pytest.fixture
async def kms() -> AsyncIterator[tuple[FakeGoogleKms, str]]:
    """A key service with one key, and its address."""
    fake, server, address = FakeGoogleKms(), grpc.aio.server(), f"127.0.0.1:{free_port()}"
    fake.add_version(KEY)
    server.add_generic_rpc_handlers([fake.handler()])
    server.add_insecure_port(address)
    await server.start()
    yield fake, address
    await server.stop(None)


@pytest.mark.promise("SE2")
async def test_google_wraps_a_key_for_its_place_alone(kms: tuple[FakeGoogleKms, str]) -> None:
    keys = keys_at(kms[1])
    wrapped = await keys.wrap(SECRET, PLACE)

    assert SECRET not in wrapped.blob
    assert wrapped.kek_id == await keys.current_id() == f"google-kms:{KEY}/cryptoKeyVersions/1"
    assert await keys.unwrap(wrapped, PLACE) == SECRET
    with pytest.raises(KeyRefused):
        await keys.unwrap(wrapped, replace(PLACE, conversation_id=ConversationId(uuid4())))
    with pytest.raises(KeyRefused):
        await keys.unwrap(replace(wrapped, blob=wrapped.blob[:-1] + b"\x00"), PLACE)
    with pytest.raises(KeyRefused):
        await keys.unwrap(WrappedKey("file:first", wrapped.blob), PLACE)
    await keys.close()


async def test_a_new_primary_version_wraps_and_the_old_one_still_opens_until_it_is_destroyed(
    kms: tuple[FakeGoogleKms, str],
) -> None:
    fake, address = kms
    keys = keys_at(address)
    old = await keys.wrap(SECRET, PLACE)
    fake.add_version(KEY)

    moved = await Keyring(keys).wrap_anew(old, PLACE)
    assert moved.kek_id == await keys.current_id() == f"google-kms:{KEY}/cryptoKeyVersions/2"
    assert await keys.unwrap(old, PLACE) == SECRET
    fake.destroy_version(KEY, 1)
    with pytest.raises(KeyRefused):
        await keys.unwrap(old, PLACE)
    assert await keys.unwrap(moved, PLACE) == SECRET
    await keys.close()


async def test_an_answer_that_was_damaged_on_its_way_is_not_believed(kms: tuple[FakeGoogleKms, str]) -> None:
    fake, address = kms
    keys = keys_at(address)
    wrapped = await keys.wrap(SECRET, PLACE)
    fake.damages_answers = True

    for asking in (keys.wrap(SECRET, PLACE), keys.unwrap(wrapped, PLACE)):
        with pytest.raises(ServiceUnavailable):
            await asking
    await keys.close()


async def test_a_missing_key_is_refused_and_an_absent_service_is_unavailable(kms: tuple[FakeGoogleKms, str]) -> None:
    missing = keys_at(kms[1], KEY + "-missing")
    away = keys_at(f"127.0.0.1:{free_port()}")
    wrapped = WrappedKey(f"google-kms:{KEY}/cryptoKeyVersions/1", b"\x00" * 60)

    for asking in (missing.wrap(SECRET, PLACE), missing.current_id()):
        with pytest.raises(KeyRefused):
            await asking
    for calling in (away.wrap(SECRET, PLACE), away.unwrap(wrapped, PLACE), away.current_id()):
        with pytest.raises(ServiceUnavailable):
            await calling
    await missing.close()
    await away.close()
