"""The network policies let through what the code does and nothing else."""

from collections.abc import Callable
from typing import Any

import grimp
import pytest

from gateway import load_table
from local_stack.names import import_name
from local_stack.own_settings import CALLS
from local_stack.services import SERVICES

Objects = list[dict[str, Any]]
# Which driver speaks to which outer system, and the module from which a kind of process is composed.
DRIVERS = {"valkey": ("redis",), "kafka": ("confluent_kafka",), "cloud": ("boto3",), "postgres": ("asyncpg",)}
ROOTS = {"api": "main", "worker": "worker", "socket": "socket.process"}


@pytest.fixture(scope="module")
def policies(render: Callable[..., Objects]) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"] for each in render("production") if each["kind"] == "NetworkPolicy"}


def peers(rules: list[dict[str, Any]], side: str) -> set[str]:
    """The processes that the rules name."""
    labels = [place.get("podSelector", {}).get("matchLabels", {}) for rule in rules for place in rule[side]]
    return {label["app.kubernetes.io/name"] for label in labels if "app.kubernetes.io/name" in label}


@pytest.mark.promise("PL20", "K9")
def test_nothing_is_allowed_that_no_policy_names(policies: dict[str, dict[str, Any]]) -> None:
    nothing = policies["bloom-nothing"]
    assert nothing == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "bloom"}},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_the_gateway_reaches_what_its_routes_name_and_nobody_else_is_reached_from_outside(
    policies: dict[str, dict[str, Any]],
) -> None:
    upstreams = {f"{route.upstream}-api" if route.upstream in SERVICES else route.upstream for route in load_table().routes}
    assert peers(policies["gateway"]["egress"], "to") == upstreams
    assert {name for name, policy in policies.items() if "gateway" in peers(policy.get("ingress") or [], "from")} == upstreams


def test_services_reach_each_other_only_where_one_calls_the_other_or_asks_auth_for_its_keys(
    policies: dict[str, dict[str, Any]],
) -> None:
    expected = {(f"{caller}-worker", f"{called}-api") for caller, called in CALLS.items()}
    expected |= {
        (f"{service}-{kind}", "auth-api") for service, kinds in SERVICES.items() for kind in kinds
        if service != "auth" and kind in {"api", "socket"}
    }  # fmt: skip
    processes = {f"{service}-{kind}" for service, kinds in SERVICES.items() for kind in kinds}
    assert {(name, peer) for name in processes for peer in peers(policies[name]["egress"], "to")} == expected
    let_in = {(peer, name) for name in processes for peer in peers(policies[name].get("ingress") or [], "from")}
    assert {edge for edge in let_in if edge[0] != "gateway"} == expected


def test_a_process_reaches_the_outer_systems_whose_drivers_its_code_loads_and_no_others(platform: dict[str, Any]) -> None:
    packages = [import_name(service) for service in SERVICES]
    graph = grimp.build_graph(*packages, "service_kit", include_external_packages=True, cache_dir=None)
    # It can run every kind of process, the relay too: what it imports says nothing about one of them.
    graph.remove_module("service_kit.process")
    for service, kinds in SERVICES.items():
        for kind in kinds:
            if kind not in ROOTS:
                continue
            root = f"{import_name(service)}.{ROOTS[kind]}"
            loaded = {
                system for system, drivers in DRIVERS.items()
                if any(driver in graph.modules and graph.chain_exists(importer=root, imported=driver) for driver in drivers)
            }  # fmt: skip
            reaches = set(platform["services"][service]["processes"][kind]["reaches"]) - {"providers"}
            assert reaches == loaded, f"{service}-{kind}"


def test_an_outer_system_is_reached_at_the_place_and_ports_that_the_values_give(render: Callable[..., Objects]) -> None:
    objects = render("production", '--set-json=network.outside.kafka={"to":[{"ipBlock":{"cidr":"10.9.0.0/16"}}],"ports":[9443]}')
    policies = {each["metadata"]["name"]: each["spec"] for each in objects if each["kind"] == "NetworkPolicy"}
    assert "10.9.0.0/16" in str(policies["billing-worker"])
    assert "10.9.0.0/16" in str(policies["bloom-prepare"])
    assert "10.9.0.0/16" not in str(policies["billing-api"])
