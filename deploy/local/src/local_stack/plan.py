"""Runs the steps of a start, each as soon as what it needs is done, as many at once as there are; the first failure ends it."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from local_stack.component import Step

_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Done:
    """What came of a step and the seconds that it took."""

    step: Step
    outcome: str
    seconds: float


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps so that each comes after everything it needs; ValueError for an unknown need or a circle."""
    ordered: list[Step] = []
    waiting = list(steps)
    while waiting:
        done = {step.name for step in ordered}
        free = [step for step in waiting if done.issuperset(step.needs)]
        if not free:
            raise ValueError(f"steps wait for what never comes: {', '.join(step.name for step in waiting)}")
        ordered += free
        waiting = [step for step in waiting if step not in free]
    return ordered


def run(steps: Sequence[Step], report: Callable[[Done], None], on_failure: Callable[[], None]) -> None:
    """Do all steps; after the first failure start no more, call `on_failure` until those under way have ended, and raise it.

    `on_failure` is what makes the steps under way end soon. A KeyboardInterrupt of the caller counts as a failure.
    """
    waiting = in_order(steps)
    done: set[str] = set()
    with ThreadPoolExecutor(len(steps) or 1) as pool:
        running: dict[Future[Done], Step] = {}
        try:
            while waiting or running:
                for step in [step for step in waiting if done.issuperset(step.needs)]:
                    running[pool.submit(_do, step)] = step
                    waiting.remove(step)
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    done.add(running.pop(future).name)
                    report(future.result())
        except BaseException:
            on_failure()
            # A step that was just about to start something starts it after that, and would wait for what is gone.
            while wait(running, timeout=_AGAIN_SECONDS).not_done:
                on_failure()
            raise


def _do(step: Step) -> Done:
    began = time.monotonic()
    outcome = step.work()
    return Done(step, outcome, time.monotonic() - began)
