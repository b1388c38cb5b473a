"""Ports: the fixed ones of the stack with their variables, free ones for tests, and who listens on one."""

import os
import random
import socket
from collections.abc import Mapping

import psutil

HOST = "127.0.0.1"

# Each can be changed by the variable `port_variable(name)` says, for example BLOOM_GATEWAY_PORT=9080.
DEFAULT_PORTS: Mapping[str, int] = {
    "gateway": 8080,
    "gateway-admin": 9901,
    "auth-api": 8101,
    "auth-relay": 8111,
    "appointments-api": 8102,
    "appointments-relay": 8112,
    "appointments-worker": 8122,
    "billing-api": 8103,
    "billing-relay": 8113,
    "billing-worker": 8123,
    "messaging-api": 8104,
    "messaging-relay": 8114,
    "messaging-worker": 8124,
    "messaging-socket": 8134,
    "ml-scoring-api": 8105,
    "ml-scoring-relay": 8115,
    "ml-scoring-worker": 8125,
    "notifications-api": 8106,
    "notifications-relay": 8116,
    "notifications-worker": 8126,
    "analytics-api": 8107,
    "analytics-relay": 8117,
    "analytics-worker": 8127,
    "analytics-lake": 8137,
    "kafka": 9092,
    "kafka-2": 9093,
    "kafka-3": 9094,
    "kafka-controller": 9192,
    "kafka-controller-2": 9193,
    "kafka-controller-3": 9194,
    "postgres": 54320,
    "valkey": 63790,
    "objects": 8333,
    "mail": 1025,
    "mail-view": 8025,
    "providers": 8026,
    "prometheus": 9090,
}

# Below the range from which Linux picks ports for outgoing connections, so that none of them takes a port between the
# moment it was found free and the moment its server binds it.
_RANGE = range(18_000, 32_000)
_handed_out: set[int] = set()


def is_listening(port: int) -> bool:
    """Whether something accepts connections on the port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def can_bind(port: int) -> bool:
    """Whether a server could take the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody uses; never the same one twice in this process."""
    generator = random.SystemRandom()
    for _ in range(1_000):
        port = generator.choice(_RANGE)
        if port not in _handed_out and can_bind(port):
            _handed_out.add(port)
            return port
    raise OSError("no free port between 18000 and 32000")


def port_variable(name: str) -> str:
    """The environment variable that changes a port of the stack."""
    return f"BLOOM_{name.upper().replace('-', '_')}_PORT"


def chosen_ports(environment: Mapping[str, str] = os.environ) -> dict[str, int]:
    """The stack's ports by name: the defaults, changed by what the environment says; ValueError names a bad variable."""
    chosen = dict(DEFAULT_PORTS)
    for name in chosen:
        text = environment.get(port_variable(name))
        if not text:
            continue
        if not text.isdigit() or not 0 < int(text) < 65_536:
            raise ValueError(f"{port_variable(name)}={text} is not a port")
        chosen[name] = int(text)
    _refuse_twice(chosen)
    return chosen


def all_free_ports() -> dict[str, int]:
    """A free port for everything that the stack listens on."""
    return {name: free_port() for name in DEFAULT_PORTS}


def _refuse_twice(chosen: Mapping[str, int]) -> None:
    by_port: dict[int, str] = {}
    for name, port in chosen.items():
        if port in by_port:
            raise ValueError(f"{port_variable(by_port[port])} and {port_variable(name)} are both {port}")
        by_port[port] = name


def free_ports(count: int) -> list[int]:
    """So many different free ports."""
    return [free_port() for _ in range(count)]


def who_listens(port: int) -> str:
    """The program that holds the port, as far as this user may know ("another program" otherwise)."""
    try:
        listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        pid = next((one.pid for one in listening if tuple(one.laddr)[1:] == (port,) and one.pid), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "another program"
    except psutil.Error:
        return "another program"
