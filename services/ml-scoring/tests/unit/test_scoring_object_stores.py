"""Models come from S3 and Google Cloud Storage through the clouds' own libraries, against servers that speak their APIs."""

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from ml_scoring.clients.live_model import LiveModel
from ml_scoring.clients.model_registry import ModelRegistry, Progress
from ml_scoring.domain.models import ModelReference, ModelStoreAway, ModelUnusable, UnknownModel
from service_kit.object_store.opening import open_store
from service_kit.object_store.port import ObjectStore, StoreAccess

BUCKET, REGION = "bloom-models", "eu-central-1"
TINY = ModelReference("tiny-xlmr", "1")
Put = Callable[[str, bytes], None]


class GoogleStandIn(ThreadingHTTPServer):
    """The two calls of Cloud Storage's JSON API that reading needs: list objects in pages, download an object."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GoogleAnswers)
        self.objects: dict[str, bytes] = {}
        self.broken = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class GoogleAnswers(BaseHTTPRequestHandler):
    server: GoogleStandIn

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if self.server.broken:
            self.answer(403, {"error": {"code": 403, "message": "no access"}})
        elif address.path == f"/storage/v1/b/{BUCKET}/o":
            self.answer(200, self.page(query))
        else:
            self.download(unquote(address.path.removeprefix(f"/download/storage/v1/b/{BUCKET}/o/")))

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        names = sorted(name for name in self.server.objects if name.startswith(query.get("prefix", "")))
        start = int(query.get("pageToken", "0"))
        page: dict[str, Any] = {
            "kind": "storage#objects",
            "items": [{"name": n, "bucket": BUCKET} for n in names[start : start + 3]],
        }
        return page | ({"nextPageToken": str(start + 3)} if len(names) > start + 3 else {})

    def download(self, name: str) -> None:
        if (content := self.server.objects.get(name)) is None:
            return self.answer(404, {"error": {"code": 404, "message": "No such object"}})
        self.send_response(200)
        self.send_header("X-Goog-Hash", f"md5={base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client_of(endpoint).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield endpoint
    server.stop()


@pytest.fixture
def google() -> Iterator[GoogleStandIn]:
    server = GoogleStandIn()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["s3", "gs"])
def bucket(request, s3_endpoint, google) -> tuple[ObjectStore, Put]:
    """An empty place in a bucket of either cloud, as a store and as a way to put objects into it."""
    prefix = f"released/{uuid4()}"
    if request.param == "gs":
        store = open_store(f"gs://{BUCKET}/{prefix}", StoreAccess(google.endpoint))
        return store, lambda path, content: google.objects.__setitem__(f"{prefix}/{path}", content)
    client = client_of(s3_endpoint)
    store = open_store(f"s3://{BUCKET}/{prefix}", s3_access(s3_endpoint))
    return store, lambda path, content: client.put_object(Bucket=BUCKET, Key=f"{prefix}/{path}", Body=content)


def s3_access(endpoint: str) -> StoreAccess:
    return StoreAccess(endpoint, REGION, SecretStr("key"), SecretStr("secret"))


def client_of(endpoint: str) -> Any:
    return boto3.client("s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="key", aws_secret_access_key="secret")


def upload(directory: Path, put: Put) -> None:
    for path in directory.iterdir():
        put(f"{directory.parent.name}/{directory.name}/{path.name}", path.read_bytes())


@pytest.mark.promise("ML2")
async def test_a_start_from_a_cold_bucket_tells_how_far_it_is_and_ends_with_the_model(bucket, make_model, tmp_path):
    store, put = bucket
    upload(make_model(tmp_path), put)
    told: list[Progress] = []
    live = LiveModel(ModelRegistry(store, tmp_path / "cache", told.append))

    identity = await live.start(TINY)

    percents = [progress.percent for progress in told]
    assert (percents[0], percents[-1]) == (0, 100)
    assert percents == sorted(percents)
    assert identity.model_hash == hashlib.sha256((tmp_path / "tiny-xlmr/1/model.onnx").read_bytes()).hexdigest()
    assert live.current().score("Mir geht es gut").windows == 1


async def test_a_second_start_downloads_nothing(bucket, make_model, tmp_path):
    store, put = bucket
    upload(make_model(tmp_path), put)
    told: list[Progress] = []
    registry = ModelRegistry(store, tmp_path / "cache", told.append)

    first = await registry.open(TINY)
    downloads = len(told)
    second = await registry.open(TINY)

    assert second == first
    assert len(told) == downloads > 0


async def test_a_damaged_copy_is_downloaded_anew(bucket, make_model, tmp_path):
    store, put = bucket
    upload(make_model(tmp_path), put)
    registry = ModelRegistry(store, tmp_path / "cache", lambda _: None)
    first = await registry.open(TINY)
    (copy,) = (tmp_path / "cache").glob("*/*/*/model.onnx")
    copy.write_bytes(copy.read_bytes()[:-1])

    assert await registry.open(TINY) == first


async def test_a_tampered_file_is_refused_and_leaves_nothing_behind(bucket, make_model, tmp_path):
    store, put = bucket
    directory = make_model(tmp_path)
    upload(directory, put)
    weights = bytearray((directory / "model.onnx").read_bytes())
    weights[100] ^= 1
    put(f"{TINY}/model.onnx", bytes(weights))

    with pytest.raises(ModelUnusable, match=r"model\.onnx is not the file"):
        await ModelRegistry(store, tmp_path / "cache", lambda _: None).open(TINY)

    assert list((tmp_path / "cache").glob("*/*/*")) == []


async def test_a_file_that_goes_on_and_on_is_cut_off(bucket, make_model, tmp_path):
    store, put = bucket
    directory = make_model(tmp_path)
    upload(directory, put)
    put(f"{TINY}/tokenizer.json", (directory / "tokenizer.json").read_bytes() + b" " * 5_000_000)

    with pytest.raises(ModelUnusable, match=r"tokenizer\.json is longer"):
        await ModelRegistry(store, tmp_path / "cache", lambda _: None).open(TINY)


async def test_a_model_whose_weights_are_missing_is_refused(bucket, make_model, tmp_path):
    store, put = bucket
    put(f"{TINY}/config.json", (make_model(tmp_path) / "config.json").read_bytes())

    with pytest.raises(ModelUnusable, match="is missing"):
        await ModelRegistry(store, tmp_path / "cache", lambda _: None).open(TINY)


@pytest.mark.promise("ML9")
async def test_every_version_in_the_bucket_is_listed_with_its_card(bucket, make_model, tmp_path):
    store, put = bucket
    for version in ("9", "10"):
        upload(make_model(tmp_path, version=version), put)
    put("notes.txt", b"no model")
    registry = ModelRegistry(store, tmp_path / "cache", lambda _: None)

    listed = await registry.list_models()

    assert [str(each) for each in listed] == ["tiny-xlmr/9", "tiny-xlmr/10"]
    described = await registry.describe(listed[1])
    assert described.card.startswith("# tiny-xlmr 10")
    assert described.identity.version == "10"


async def test_a_model_that_is_not_there_is_unknown(bucket, tmp_path):
    store, _ = bucket

    with pytest.raises(UnknownModel):
        await ModelRegistry(store, tmp_path / "cache", lambda _: None).open(TINY)


async def test_a_copy_that_is_here_serves_while_the_store_is_away(google, make_model, tmp_path):
    for path in make_model(tmp_path).iterdir():
        google.objects[f"{TINY}/{path.name}"] = path.read_bytes()
    registry = ModelRegistry(open_store(f"gs://{BUCKET}", StoreAccess(google.endpoint)), tmp_path / "cache", lambda _: None)
    first = await registry.open(TINY)
    google.broken = True

    assert await registry.open(TINY) == first
    with pytest.raises(ModelStoreAway, match="Forbidden"):
        await registry.open(ModelReference("tiny-xlmr", "2"))


async def test_a_start_waits_for_a_store_that_is_away(google, make_model, tmp_path):
    for path in make_model(tmp_path).iterdir():
        google.objects[f"{TINY}/{path.name}"] = path.read_bytes()
    google.broken = True
    live = LiveModel(
        ModelRegistry(open_store(f"gs://{BUCKET}", StoreAccess(google.endpoint)), tmp_path / "cache", lambda _: None)
    )
    tries: list[float] = []

    async def mended(seconds: float) -> None:
        tries.append(seconds)
        google.broken = len(tries) < 3

    assert (await live.start(TINY, pause=mended)).version == "1"
    assert tries == [0.5, 1.0, 2.0]


async def test_a_server_that_is_not_there_is_a_store_that_is_away(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
    store = open_store(f"s3://{BUCKET}", s3_access(nowhere))

    with pytest.raises(ModelStoreAway, match="EndpointConnectionError"):
        await ModelRegistry(store, tmp_path, lambda _: None).open(TINY)
