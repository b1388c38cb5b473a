"""Both kinds of object store behind the one port: a link takes what was announced and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from services.messaging.tests.integration.fake_gcs import FakeGcs, running

from messaging.clients.objects.choosing import StoreAccess, bucket_of, open_store
from messaging.clients.objects.port import ObjectStore, UploadLink
from messaging.domain.attachments import MAX_BYTES, Content
from service_kit.errors import ServiceUnavailable

if TYPE_CHECKING:
    from local_stack.objects import ObjectStore as S3Server

MINUTE = timedelta(minutes=1)
BYTES = b"%PDF-1.7 an example " * 50


def content_of(data: bytes, content_type: str = "application/pdf") -> Content:
    return Content(content_type, len(data), hashlib.sha256(data).digest())


@pytest.fixture(scope="module")
def fake_gcs() -> Iterator[FakeGcs]:
    with running() as fake:
        yield fake


@pytest.fixture(params=["s3", "gcs"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("object_store")
        opened = open_store(s3_access(server))
    else:
        fake: FakeGcs = request.getfixturevalue("fake_gcs")
        opened = open_store(gcs_access(fake))
    yield opened
    await opened.aclose()


def s3_access(server: S3Server) -> StoreAccess:
    return StoreAccess(
        address="s3://bloom-attachments",
        endpoint=server.url,
        access_key=SecretStr(server.access_key),
        secret_key=SecretStr(server.secret_key),
    )


def gcs_access(fake: FakeGcs) -> StoreAccess:
    return StoreAccess(address=f"gs://{fake.bucket}", endpoint=fake.url, gcs_credentials=SecretStr(fake.credentials))


async def upload(link: UploadLink, data: bytes, **headers: str) -> httpx.Response:
    sent = httpx.Headers(dict(link.headers))
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    async with httpx.AsyncClient() as client:
        return await client.request(link.method, link.url, content=data, headers=sent)


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url)


@pytest.mark.promise("FI2")
async def test_what_was_announced_is_taken_found_and_given_again(store: ObjectStore) -> None:
    key = f"{uuid4()}/{uuid4()}"
    assert await store.describe(key) is None
    assert (await upload(store.upload_link(key, content_of(BYTES), MINUTE), BYTES)).status_code == 200
    assert await store.describe(key) == content_of(BYTES)
    answer = await get(store.download_link(key, "report \u00fc 1.pdf", MINUTE))
    assert answer.content == BYTES
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"report _ 1.pdf\"; filename*=UTF-8''report%20%C3%BC%201.pdf"
    )


@pytest.mark.promise("FI2")
async def test_other_bytes_of_another_length_or_type_are_refused(store: ObjectStore) -> None:
    key = f"{uuid4()}/{uuid4()}"
    link = store.upload_link(key, content_of(BYTES), MINUTE)
    assert (await upload(link, BYTES + b".")).status_code in {400, 403}
    assert (await upload(link, BYTES[:-1])).status_code in {400, 403}
    assert (await upload(link, BYTES, content_type="text/html")).status_code == 403
    assert await store.describe(key) is None


async def test_other_bytes_of_the_same_length_are_refused_or_found_to_be_other_ones(store: ObjectStore) -> None:
    key, other = f"{uuid4()}/{uuid4()}", bytes(reversed(BYTES))
    answer = await upload(store.upload_link(key, content_of(BYTES), MINUTE), other)
    found = await store.describe(key)
    assert (answer.status_code, found) in [(400, None), (200, content_of(other))]


async def test_what_was_uploaded_is_not_replaced_by_another_content(store: ObjectStore) -> None:
    key = f"{uuid4()}/{uuid4()}"
    link = store.upload_link(key, content_of(BYTES), MINUTE)
    assert (await upload(link, BYTES)).status_code == 200
    assert (await upload(link, bytes(reversed(BYTES)))).status_code in {400, 412}
    assert await store.describe(key) == content_of(BYTES)


@dataclass(frozen=True)
class Changed:
    """A link in which one thing was changed."""

    link: UploadLink

    def by(self, old: str, new: str) -> UploadLink:
        assert old in self.link.url
        return replace(self.link, url=self.link.url.replace(old, new))


async def test_a_changed_link_is_good_for_nothing(store: ObjectStore) -> None:
    key, another = f"{uuid4()}/{uuid4()}", f"{uuid4()}/{uuid4()}"
    upload_link = Changed(store.upload_link(key, content_of(BYTES), MINUTE))
    assert (await upload(upload_link.by(key, another), BYTES)).status_code == 403
    assert (await upload(upload_link.by("Expires=60", "Expires=6000"), BYTES)).status_code == 403
    assert (await upload(upload_link.link, BYTES)).status_code == 200
    download = store.download_link(key, "a.pdf", MINUTE)
    assert (await get(download.replace("octet-stream", "html"))).status_code == 403
    assert (await get(download)).status_code == 200


async def test_what_was_removed_is_gone_and_removing_it_again_is_harmless(store: ObjectStore) -> None:
    key = f"{uuid4()}/{uuid4()}"
    await upload(store.upload_link(key, content_of(BYTES), MINUTE), BYTES)
    await store.remove(key)
    await store.remove(key)
    assert await store.describe(key) is None


async def test_a_store_that_keeps_no_checksum_has_the_content_read(object_store: S3Server) -> None:
    client, key = object_store.client(), f"{uuid4()}/{uuid4()}"
    client.put_object(Bucket="bloom-attachments", Key=key, Body=BYTES, ContentType="application/pdf", ChecksumAlgorithm="CRC32")
    client.close()
    store = open_store(s3_access(object_store))
    assert await store.describe(key) == content_of(BYTES)
    await store.aclose()


async def test_what_is_larger_than_anything_announced_is_not_read(fake_gcs: FakeGcs) -> None:
    fake_gcs.put("huge", b"\0" * (MAX_BYTES + 1), "application/pdf")
    store = open_store(gcs_access(fake_gcs))
    found = await store.describe("huge")
    assert found == Content("application/pdf", MAX_BYTES + 1, hashlib.sha256(b"").digest())
    await store.aclose()


async def test_a_store_that_cannot_be_reached_is_unavailable(fake_gcs: FakeGcs) -> None:
    nowhere = replace(s3_access(_Nowhere()), region="eu-central-1")  # type: ignore[arg-type]  # has what is read of a server
    away = open_store(nowhere)
    with pytest.raises(ServiceUnavailable):
        await away.describe("a")
    await away.aclose()
    google = open_store(gcs_access(fake_gcs))
    fake_gcs.is_down = True
    with pytest.raises(ServiceUnavailable):
        await google.describe("a")
    fake_gcs.is_down = False
    await google.aclose()


class _Nowhere:
    url, access_key, secret_key = "http://127.0.0.1:9", "a", "b"


@pytest.mark.parametrize("address", ["s3://", "http://bucket", "gs://bucket/folder", "bucket", "file:///tmp"])
def test_an_address_that_names_no_bucket_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="named by"):
        bucket_of(address)


def test_google_needs_the_key_of_a_service_account() -> None:
    with pytest.raises(ValueError, match="service account"):
        open_store(StoreAccess(address="gs://bloom-attachments"))


def test_links_name_the_server_as_clients_see_it(object_store: S3Server) -> None:
    store: Any = open_store(replace(s3_access(object_store), public_endpoint="http://files.bloom.test"))
    assert store.upload_link("a", content_of(BYTES), MINUTE).url.startswith("http://files.bloom.test/bloom-attachments/a?")
