"""Key-encryption keys in AWS KMS, spoken to by the real SDK over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from bloom_events.ids import ConversationId, TenantId
from local_stack.ports import free_port
from messaging.clients.keys.aws_keys import AwsKeys
from messaging.clients.keys.choosing import open_keeper
from messaging.clients.keys.keyring import Keyring
from messaging.clients.keys.port import KeyRefused
from messaging.domain.keys import KeyPlace, WrappedKey
from service_kit.errors import ServiceUnavailable

SECRET = bytes(range(32))
PLACE = KeyPlace(TenantId(uuid4()), ConversationId(uuid4()), 1)


@pytest.fixture(scope="module")
def kms_address() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def environment(kms_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK reads by itself."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", kms_address)


@pytest.fixture
def kms() -> Any:
    return boto3.client("kms")


def an_alias(kms: Any) -> str:
    alias = f"alias/bloom-{uuid4().hex}"
    kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    return alias


@pytest.mark.promise("SE2")
async def test_kms_wraps_a_key_for_its_place_alone(kms: Any) -> None:
    keys = open_keeper(f"aws-kms:{an_alias(kms)}")
    wrapped = await keys.wrap(SECRET, PLACE)

    assert SECRET not in wrapped.blob
    assert wrapped.kek_id.startswith("aws-kms:arn:aws:kms:")
    assert wrapped.kek_id == await keys.current_id()
    assert await keys.unwrap(wrapped, PLACE) == SECRET
    with pytest.raises(KeyRefused):
        await keys.unwrap(wrapped, replace(PLACE, version=2))
    with pytest.raises(KeyRefused):
        await keys.unwrap(replace(wrapped, blob=wrapped.blob[:-1] + b"\x00"), PLACE)
    with pytest.raises(KeyRefused):
        await keys.unwrap(WrappedKey("file:first", wrapped.blob), PLACE)
    await keys.close()


async def test_an_alias_that_means_another_key_wraps_under_it_and_still_opens_the_old(kms: Any) -> None:
    alias = an_alias(kms)
    keys = open_keeper(f"aws-kms:{alias}")
    old = await keys.wrap(SECRET, PLACE)
    kms.update_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])

    moved = await Keyring(keys).wrap_anew(old, PLACE)

    assert moved.kek_id == await keys.current_id() != old.kek_id
    assert await keys.unwrap(old, PLACE) == await keys.unwrap(moved, PLACE) == SECRET
    await keys.close()


async def test_a_key_that_does_not_exist_is_refused(kms: Any) -> None:
    wrapped = await open_keeper(f"aws-kms:{an_alias(kms)}").wrap(SECRET, PLACE)
    missing = open_keeper(f"aws-kms:{uuid4()}")

    for asking in (
        missing.wrap(SECRET, PLACE),
        missing.unwrap(replace(wrapped, kek_id=f"aws-kms:{uuid4()}"), PLACE),
        open_keeper("aws-kms:alias/nothing").current_id(),
    ):
        with pytest.raises(KeyRefused):
            await asking
    await missing.close()


async def test_while_kms_is_away_keys_are_unavailable_and_not_refused(kms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = await open_keeper(f"aws-kms:{an_alias(kms)}").wrap(SECRET, PLACE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_port()}")
    away = open_keeper("aws-kms:alias/any")

    for asking in (away.unwrap(wrapped, PLACE), away.wrap(SECRET, PLACE), away.current_id()):
        with pytest.raises(ServiceUnavailable):
            await asking
    assert isinstance(away, AwsKeys)
