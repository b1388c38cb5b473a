"""Every kind of store behind the one port keeps, lists, gives and removes files; all are real servers but Google's."""

import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import pytest
from pydantic import SecretStr

from local_stack.ports import free_port
from service_kit.errors import ServiceUnavailable
from service_kit.object_store.folder import FolderStore
from service_kit.object_store.opening import open_store
from service_kit.object_store.port import ObjectAbsent, ObjectStore, StoreAccess, content_of

BUCKET = "bloom-lake"


class GoogleStandIn(ThreadingHTTPServer):
    """The calls of Cloud Storage's JSON API that a store needs: upload in one request, list in pages, download, delete."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GoogleAnswers)
        self.objects: dict[str, bytes] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class GoogleAnswers(BaseHTTPRequestHandler):
    server: GoogleStandIn
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert urlsplit(self.path).path == f"/upload/storage/v1/b/{BUCKET}/o"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = re.search('boundary="?([^"]+)', self.headers["Content-Type"])
        assert boundary
        _, about, content, _ = body.split(b"--" + boundary[1].encode())
        name = json.loads(about.partition(b"\r\n\r\n")[2])["name"]
        self.server.objects[name] = content.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        self.answer(200, {"name": name, "bucket": BUCKET})

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == f"/storage/v1/b/{BUCKET}/o":
            return self.answer(200, self.page(query))
        content = self.server.objects.get(unquote(address.path.removeprefix(f"/download/storage/v1/b/{BUCKET}/o/")))
        return self.answer(404, {"error": {"code": 404}}) if content is None else self.send(200, content)

    def do_DELETE(self) -> None:
        name = unquote(urlsplit(self.path).path.removeprefix(f"/storage/v1/b/{BUCKET}/o/"))
        if self.server.objects.pop(name, None) is None:
            return self.answer(404, {"error": {"code": 404}})
        return self.send(204, b"")

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        names = sorted(name for name in self.server.objects if name.startswith(query.get("prefix", "")))
        start = int(query.get("pageToken", "0"))
        items = [{"name": name, "bucket": BUCKET} for name in names[start : start + 2]]
        return {"kind": "storage#objects", "items": items} | ({"nextPageToken": str(start + 2)} if names[start + 2 :] else {})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.send(status, json.dumps(body).encode())

    def send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleStandIn]:
    server = GoogleStandIn()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["folder", "s3", "gcs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(f"file://{tmp_path}/the%20store")
    if request.param == "gcs":
        return open_store(f"gs://{BUCKET}/{uuid4()}", StoreAccess(endpoint=request.getfixturevalue("google").endpoint))
    server = request.getfixturevalue("object_store")
    keys = {"access_key": SecretStr(server.access_key), "secret_key": SecretStr(server.secret_key)}
    return open_store(f"s3://{BUCKET}/{uuid4()}", StoreAccess(endpoint=server.url, region="us-east-1", **keys))


def test_what_is_put_is_listed_in_order_and_given_again(store: ObjectStore) -> None:
    for name in ("b", "c", "a"):
        store.put(f"type=x/date=2026-11-03/{name}.parquet", name.encode() * 3)
    store.put("manifests/date=2026-11-03/0000000001.json", b"{}")

    assert store.paths("type=") == [f"type=x/date=2026-11-03/{name}.parquet" for name in "abc"]
    assert len(store.paths("")) == 4
    assert store.paths("type=y") == []
    assert content_of(store, "type=x/date=2026-11-03/b.parquet") == b"bbb"


def test_a_file_is_replaced_and_removed_and_removing_it_again_is_no_error(store: ObjectStore) -> None:
    store.put("type=x/a", b"old")
    store.put("type=x/a", b"new")
    assert content_of(store, "type=x/a") == b"new"
    for _ in range(2):
        store.remove("type=x/a")
    assert store.paths("") == []
    with pytest.raises(ServiceUnavailable, match="lacks a file"):
        content_of(store, "type=x/a")
    with pytest.raises(ObjectAbsent):
        store.copy("type=x/a", io.BytesIO())


@pytest.mark.parametrize("address", [f"s3://{BUCKET}", f"gs://{BUCKET}"])
def test_a_server_that_is_away_is_one_kind_of_error(address: str) -> None:
    keys = {"access_key": SecretStr("a"), "secret_key": SecretStr("b")}
    access = StoreAccess(endpoint=f"http://127.0.0.1:{free_port()}", region="us-east-1", **keys)
    with pytest.raises(ServiceUnavailable):
        open_store(address, access).remove("type=x/a")


def test_a_folder_shows_no_file_that_is_not_whole(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("type=x/a", b"whole")
    (tmp_path / ".partial" / "half").write_bytes(b"ha")

    assert store.paths("") == ["type=x/a"]


def test_a_folder_lists_what_lies_behind_links_and_nothing_when_it_is_not_there(tmp_path: Path) -> None:
    FolderStore(tmp_path / "elsewhere").put("1/config.json", b"{}")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/model").symlink_to(tmp_path / "elsewhere")

    assert FolderStore(tmp_path / "store").paths() == ["model/1/config.json"]
    assert FolderStore(tmp_path / "store").paths("model/1/c") == ["model/1/config.json"]
    assert FolderStore(tmp_path / "absent").paths() == []


@pytest.mark.parametrize("address", ["", "s3://", "gs://", "http://bucket", "file://", "file://host/folder"])
def test_an_address_that_is_no_store_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="a store is"):
        open_store(address)
