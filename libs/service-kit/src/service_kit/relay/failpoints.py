"""The points of the relay where kill tests end it: `RELAY_FAILPOINT`, a name or `name:n` for its n-th passing."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from service_kit.failpoints import armed_by

FailpointName = Literal["after-delete", "after-produce", "after-ack", "before-commit"]
Failpoint = Callable[[FailpointName], None]


def armed(environment: str, variables: Mapping[str, str] | None = None) -> Failpoint:
    """Read `RELAY_FAILPOINT`; raises ValueError for an unknown name."""
    return armed_by("RELAY_FAILPOINT", get_args(FailpointName), environment=environment, variables=variables)
