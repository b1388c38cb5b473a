"""`python -m service_kit.asked_health AUTH_PORT AUTH_PROBE_PORT`: whether the process of this container says that it is ready.

An image's health check runs it; the ports are in the environment, which the process has too. One of them answers: an API has its
health on the port of its clients, every other process on its probe port.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping, Sequence

ASK_SECONDS = 3.0
"""Longer than a readiness check may take, shorter than the container engine waits."""


def is_ready(port: int) -> bool:
    """Whether a process of this machine answers on the port that it can do its work."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(variables: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """The exit status: 0 when a process is ready on one of the ports that the variables name."""
    ports = [environment.get(variable, "") for variable in variables]
    return 0 if any(is_ready(int(port)) for port in ports if port.isdigit()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
