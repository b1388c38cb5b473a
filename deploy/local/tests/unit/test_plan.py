"""The order of a start: what needs something comes after it, the rest at once, and a failure ends it all."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.component import Step
from local_stack.errors import StackError
from local_stack.plan import Done, in_order, run


def step(name: str, *needs: str, work: Callable[[], str] = lambda: "ready") -> Step:
    return Step(name, needs, work)


@given(st.permutations(range(8)))
def test_each_step_comes_after_everything_that_it_needs(order: list[int]) -> None:
    chain = [step(str(number), *(str(earlier) for earlier in range(number))) for number in range(8)]
    assert [each.name for each in in_order([chain[position] for position in order])] == [str(number) for number in range(8)]


def test_a_circle_of_needs_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="one, two"):
        in_order([step("one", "two"), step("two", "one")])


def test_an_unknown_need_is_refused() -> None:
    with pytest.raises(ValueError, match="gateway"):
        in_order([step("gateway", "nobody")])


def test_steps_that_need_nothing_of_each_other_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)

    def meet() -> str:
        together.wait()
        return "met"

    outcomes: list[Done] = []
    run([step(name, work=meet) for name in "abc"], outcomes.append, lambda: None)
    assert [done.outcome for done in outcomes] == ["met"] * 3


def test_after_a_failure_nothing_more_is_started_and_the_failure_is_told() -> None:
    started: list[str] = []
    stopped: list[bool] = []

    def fail() -> str:
        raise StackError("kafka", "no disk")

    steps = [step("kafka", work=fail), step("relay", "kafka", work=lambda: started.append("relay") or "ready")]
    with pytest.raises(StackError, match="kafka: no disk"):
        run(steps, lambda _: None, lambda: stopped.append(True))
    assert (started, stopped) == ([], [True])


def test_a_failure_waits_for_the_steps_under_way_so_that_they_can_be_stopped() -> None:
    told_to_stop = threading.Event()
    ended: list[str] = []

    def slow() -> str:
        told_to_stop.wait(10)
        ended.append("slow")
        return "ready"

    def fail() -> str:
        raise StackError("kafka", "crashed")

    with pytest.raises(StackError):
        run([step("slow", work=slow), step("kafka", work=fail)], lambda _: None, told_to_stop.set)
    assert ended == ["slow"]


def test_what_a_step_starts_after_all_was_stopped_is_stopped_as_well() -> None:
    stopped_once, is_stopped_again = threading.Event(), threading.Event()

    def stop() -> None:
        if stopped_once.is_set():
            is_stopped_again.set()
        stopped_once.set()

    def late() -> str:
        assert stopped_once.wait(10)
        return "ready" if is_stopped_again.wait(10) else "left running"

    def fail() -> str:
        raise StackError("kafka", "crashed")

    with pytest.raises(StackError):
        run([step("late", work=late), step("kafka", work=fail)], lambda _: None, stop)
    assert is_stopped_again.is_set()
