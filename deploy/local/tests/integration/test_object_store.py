"""The object store of the test session: it keeps what it took, lets nobody in without the keys, and stays on this machine."""

import http.client
import stat

import psutil
import pytest
from botocore.exceptions import ClientError

from local_stack.component import bring_up
from local_stack.objects import ObjectStore
from local_stack.ports import HOST


def test_what_was_put_is_there_after_the_store_was_killed_and_after_it_was_stopped(object_store: ObjectStore) -> None:
    client = object_store.client()
    client.put_object(Bucket="bloom-attachments", Key="survivor", Body=b"still here")
    for end in (object_store.kill, object_store.stop):
        end()
        bring_up(object_store)
        assert client.get_object(Bucket="bloom-attachments", Key="survivor")["Body"].read() == b"still here"
    client.close()


def test_the_buckets_of_attachments_and_models_are_there(object_store: ObjectStore) -> None:
    client = object_store.client()
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} == {
        "bloom-attachments",
        "bloom-models",
        "bloom-lake",
    }
    assert client.list_objects_v2(Bucket="bloom-models")["KeyCount"] == 0
    client.close()


def test_a_bucket_that_nobody_made_is_not_made_by_an_upload(object_store: ObjectStore) -> None:
    client = object_store.client()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.put_object(Bucket="made-up", Key="a", Body=b"a")
    client.close()


def test_it_listens_on_this_machine_alone_and_gives_nothing_without_the_keys(object_store: ObjectStore) -> None:
    client = object_store.client()
    client.put_object(Bucket="bloom-attachments", Key="guarded", Body=b"not for everyone")
    client.close()
    (process,) = object_store.processes
    running = process.process()
    assert running is not None
    listening = [one.laddr for one in running.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    assert {address.ip for address in listening} == {HOST}
    assert len(listening) == 8
    for address in listening:
        for path in ("/bloom-attachments/guarded", "/buckets/bloom-attachments/guarded"):
            assert b"not for everyone" not in _plain_get(address.port, path)


def test_its_keys_can_be_read_by_their_owner_alone(object_store: ObjectStore) -> None:
    for name in ("s3.json", "security.toml", "weed.options", "secrets/objects"):
        assert stat.S_IMODE((object_store.folder / name).stat().st_mode) == 0o600


def _plain_get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""  # gRPC, which speaks no HTTP of this version.
    finally:
        connection.close()
