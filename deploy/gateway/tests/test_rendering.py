"""The configuration for every kind of deployment, and the table that it comes from."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import gateway
from gateway.table import read_table

EVERYWHERE = "0.0.0.0"  # noqa: S104  # what is compared, not bound
KINDS = ("local", "compose", "kubernetes")


def configuration(**changes: Any) -> dict[str, Any]:
    """The parsed configuration of the usual local target with changes."""
    document: dict[str, Any] = yaml.safe_load(gateway.render(replace(gateway.preset("local"), **changes)))
    return document


def manager(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return found


@pytest.mark.server
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [{}, {"messaging-socket": "messaging-socket:8134,messaging-socket-2:8134"}])
def test_envoy_accepts_what_is_rendered_for_every_kind_of_deployment(kind: gateway.Kind, extra: dict[str, str], tmp_path: Path):
    usual = gateway.preset(kind)
    openapi = tmp_path / "openapi.json"
    openapi.write_text("{}")
    target = replace(usual, upstreams={**usual.upstreams, **extra}, docs_folder=None)

    command = gateway.envoy_command(gateway.prepare(target, tmp_path, openapi=openapi), log_level="error")
    result = subprocess.run([*command, "--mode", "validate"], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert "OK" in result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_admin_interface_listens_on_loopback_only(kind: gateway.Kind):
    document = yaml.safe_load(gateway.render(gateway.preset(kind)))

    assert document["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_only_a_container_listens_on_every_interface():
    addresses = {
        kind: yaml.safe_load(gateway.render(gateway.preset(kind)))["static_resources"]["listeners"][0]["address"][
            "socket_address"
        ]["address"]
        for kind in KINDS
    }

    assert addresses == {"local": "127.0.0.1", "compose": EVERYWHERE, "kubernetes": EVERYWHERE}


def test_every_route_is_closed_unless_the_table_opens_it():
    host = manager(configuration())["route_config"]["virtual_hosts"][0]
    closed = host["typed_per_filter_config"]["envoy.filters.http.jwt_authn"]
    opened = {
        route["name"]
        for route in host["routes"]
        if route.get("typed_per_filter_config", {}).get("envoy.filters.http.jwt_authn", {}).get("disabled") and "route" in route
    }

    assert closed["requirement_name"] == "token"
    assert opened == {route.name for route in gateway.load_table().routes if route.access == "public"}


def test_only_reads_are_sent_again_after_they_may_have_arrived():
    routes = manager(configuration())["route_config"]["virtual_hosts"][0]["routes"]
    for route in routes:
        if "retry_policy" not in route.get("route", {}):
            continue
        again = set(route["route"]["retry_policy"]["retry_on"].split(","))
        is_read = "headers" in route["match"]
        assert is_read or again == {"connect-failure", "refused-stream"}, route["name"]


def test_a_socket_is_never_sent_again():
    routes = manager(configuration())["route_config"]["virtual_hosts"][0]["routes"]
    without = [route["name"] for route in routes if "route" in route and "retry_policy" not in route["route"]]

    assert without == ["sockets"]


def test_a_route_without_an_upstream_is_not_rendered():
    everywhere = dict(gateway.preset("local").upstreams)
    without = {name: address for name, address in everywhere.items() if name != "messaging-socket"}

    assert "/socket.io" not in gateway.render(replace(gateway.preset("local"), upstreams=without))
    assert "/socket.io" in gateway.render(replace(gateway.preset("local"), upstreams=everywhere))


def test_a_route_with_a_body_limit_of_its_own_has_it_and_the_others_have_the_usual_one():
    document = configuration()
    buffer = next(entry for entry in manager(document)["http_filters"] if entry["name"].endswith(".buffer"))
    own = {
        route["name"]: route["typed_per_filter_config"]["envoy.filters.http.buffer"]["buffer"]["max_request_bytes"]
        for route in manager(document)["route_config"]["virtual_hosts"][0]["routes"]
        if "buffer" in route.get("typed_per_filter_config", {}).get("envoy.filters.http.buffer", {})
    }
    table = gateway.load_table()

    assert buffer["typed_config"]["max_request_bytes"] == table.sizes["body_bytes"]
    assert own == {route.name: route.body_bytes for route in table.routes if route.body_bytes}
    assert own


@pytest.mark.parametrize(
    "changes",
    [
        {"origins": ("*",)},
        {"upstreams": {"billing": "127.0.0.1:1"}},
        {"upstreams": {"auth": "nowhere"}},
        {"upstreams": {"auth": "host:99999"}},
        {"kind": "cloud"},
    ],
)
def test_a_target_that_makes_no_sense_is_refused(changes: dict[str, Any]):
    with pytest.raises(ValueError, match=r"\w"):
        replace(gateway.preset("local"), **changes)


def test_settings_cannot_break_out_of_the_configuration():
    issuer = 'x"}\nadmin: {address: 0.0.0.0} # %REQ(authorization)%'

    document = configuration(issuer=issuer)

    assert document["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    providers = next(entry for entry in manager(document)["http_filters"] if entry["name"].endswith("jwt_authn"))["typed_config"][
        "providers"
    ]
    assert providers["bloom"]["issuer"] == issuer


def test_longer_paths_of_the_table_are_tried_first():
    table = gateway.load_table()
    sign_in, other = table.route_for("/api/auth/sign-in"), table.route_for("/api/auth/me")

    assert sign_in is not None
    assert other is not None
    assert (sign_in.name, other.name) == ("sign-in", "auth")
    assert table.route_for("/api/authx") is None


@pytest.mark.parametrize(
    "row",
    [
        'path = "/a"\nprefix = "/b"',
        "",
        'path = "a"',
        'prefix = "/a/"',
        'path = "/a"\nlimit = "none"',
        'path = "/internal"',
        'prefix = "/internal"',
        'prefix = "/internal/contacts"',
        'prefix = "/a"\nwebsocket = true\nbody_bytes = 1',
    ],
)
def test_a_row_that_makes_no_sense_is_refused(row: str):
    limit = "" if "limit" in row else 'limit = "api"'
    before = "capacity = {}\nsizes = {}\nproblems = []\nlimits.api = {requests = 1, seconds = 1}\n"
    text = f'{before}[[routes]]\nname = "a"\nupstream = "auth"\n{limit}\n{row}'

    with pytest.raises(ValueError, match=r"route a|no such limits"):
        read_table(text)


def test_the_command_line_renders_a_target(tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "gateway",
        "render",
        "--target",
        "compose",
        "--upstream",
        "auth=other:1",
        "--origin",
        "https://a.example.test",
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wrong = subprocess.run([*command, "--origin", "*"], capture_output=True, text=True, check=False)

    assert 'address: "other"' in printed
    assert "https://a.example.test" in printed
    assert (wrong.returncode, "list the origins" in wrong.stderr) == (2, True)


@pytest.mark.server
def test_the_command_line_becomes_envoy_with_the_pages_beside_it(tmp_path: Path):
    openapi = tmp_path / "merged.json"
    openapi.write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ["--port", str(taken.getsockname()[1]), "--out", str(tmp_path), "--openapi", str(openapi)]
        command = [sys.executable, "-m", "gateway", "run", "--target", "local", *options]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    assert "Address already in use" in ended.stderr
    assert ended.returncode == 1
    assert (tmp_path / "pages/index.html").is_file()
