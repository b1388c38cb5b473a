"""What the gateway and the services must agree on, though neither imports the other."""

import pytest

from gateway import load_table, preset
from service_kit.problems import catalog
from service_kit.process import KEEP_ALIVE_SECONDS
from service_kit.settings import ServiceSettings
from tools.apps import service_names, unconnected_app, unconnected_settings

TABLE = load_table()


@pytest.mark.promise("GW2")
def test_a_problem_that_both_know_is_told_alike():
    for service in service_names():
        unconnected_app(service)
    kinds = {kind.slug: kind for kind in catalog()}
    shared = [row for row in TABLE.problems if row.slug in kinds]

    assert {row.slug for row in shared} >= {
        "unauthorized",
        "not-found",
        "payload-too-large",
        "too-many-requests",
        "service-unavailable",
    }
    for row in shared:
        assert (row.status, row.title) == (kinds[row.slug].status, kinds[row.slug].title)


def test_the_gateway_closes_idle_connections_before_a_service_does():
    assert TABLE.sizes["upstream_idle_seconds"] < KEEP_ALIVE_SECONDS


def test_a_socket_on_which_nothing_is_said_gets_pings_long_before_the_gateway_gives_it_up():
    messaging = unconnected_settings("messaging")

    assert TABLE.sizes["socket_idle_seconds"] >= 2 * (messaging.socket_ping_seconds + messaging.socket_pong_seconds)
    assert TABLE.capacity["connections"] >= 2 * messaging.socket_most_connections


def test_a_quiet_stream_says_that_it_lives_long_before_the_gateway_gives_it_up():
    assert TABLE.sizes["socket_idle_seconds"] >= 2 * unconnected_settings("analytics").stream_beat_seconds
    stream = TABLE.route_for("/api/analytics/stream")
    assert stream is not None
    assert stream.stream


@pytest.mark.parametrize("service", service_names())
def test_the_gateway_takes_no_longer_bodies_than_the_services(service: str):
    taken = {route.body_bytes or TABLE.sizes["body_bytes"] for route in TABLE.routes if route.upstream == service}

    assert max(taken) <= unconnected_settings(service).request_body_limit_bytes


def test_the_gateway_reads_the_keys_of_the_issuer_that_the_services_believe():
    fields = ServiceSettings.model_fields
    local = preset("local")
    keys = TABLE.route_for(local.jwks_path)

    assert (local.issuer, local.audience) == (fields["token_issuer"].default, fields["token_audience"].default)
    assert keys is not None
    assert (keys.upstream, keys.access) == ("auth", "public")
    assert local.jwks_path in unconnected_app("auth").openapi()["paths"]


@pytest.mark.parametrize("service", service_names())
def test_the_gateway_finds_each_service_on_its_own_port(service: str):
    assert preset("local").upstreams[service] == f"127.0.0.1:{unconnected_settings(service).port}"


def test_what_services_ask_each_other_is_in_no_document_and_at_no_gateway():
    internal = {
        service: [route.path for route in unconnected_app(service).routes if getattr(route, "path", "").startswith("/internal")]
        for service in service_names()
    }
    paths = [path for found in internal.values() for path in found]

    assert {service for service, found in internal.items() if found} == {"auth", "messaging"}
    assert [path for path in paths if TABLE.route_for(path)] == []
    for service in service_names():
        assert [path for path in unconnected_app(service).openapi()["paths"] if path.startswith("/internal")] == []
