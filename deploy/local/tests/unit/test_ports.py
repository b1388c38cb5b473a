"""Which ports the stack takes, and how a person changes one."""

import socket

import pytest

from local_stack.errors import StackError
from local_stack.ports import DEFAULT_PORTS, HOST, all_free_ports, can_bind, chosen_ports, free_ports, is_listening, port_variable
from local_stack.preflight import check_ports


def test_without_variables_the_ports_are_the_documented_ones() -> None:
    assert chosen_ports({}) == DEFAULT_PORTS


@pytest.mark.parametrize("name", sorted(DEFAULT_PORTS))
def test_each_port_can_be_changed_by_its_variable(name: str) -> None:
    assert chosen_ports({port_variable(name): "10001"})[name] == 10_001


@pytest.mark.parametrize("text", ["http", "-1", "0", "65536", "80.5"])
def test_a_variable_that_is_no_port_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="BLOOM_GATEWAY_PORT"):
        chosen_ports({"BLOOM_GATEWAY_PORT": text})


def test_two_components_on_one_port_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="BLOOM_GATEWAY_PORT and BLOOM_VALKEY_PORT"):
        chosen_ports({"BLOOM_VALKEY_PORT": "8080"})


def test_free_ports_are_never_handed_out_twice() -> None:
    ports = [*free_ports(50), *all_free_ports().values()]
    assert len(set(ports)) == len(ports)


def test_a_taken_port_is_one_line_with_who_has_it_and_how_to_choose_another() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        assert is_listening(port)
        assert not can_bind(port)
        with pytest.raises(StackError) as refused:
            check_ports({"auth-api": port})
    assert str(refused.value).startswith(f"auth-api: port {port} is taken by ")
    assert "BLOOM_AUTH_API_PORT" in str(refused.value)
    assert "\n" not in str(refused.value)
