"""Parts of the platform that are away for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_stack.component import Component


@contextmanager
def away(*components: "Component") -> Iterator[Callable[[], None]]:
    """Kill these parts; they are brought back at the end, or when the block asks for it."""

    def bring_back() -> None:
        for component in components:
            component.start()
        for component in components:
            component.wait_ready()

    for component in components:
        component.kill()
    try:
        yield bring_back
    finally:
        bring_back()
