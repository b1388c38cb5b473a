"""What the rows about latency measure: from the asking to the other person's page, by the one clock of the measuring process."""

import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.bench import crisis
from tests.faults.practice import CRISIS, Listener, Pair

PUSHED, SHOWN = 0.020, 0.130


class Writers:
    """Stand in for the platform: what is asked for is on the other side's page after a time that the test knows."""

    def __init__(self, listeners: Mapping[UUID, Listener]) -> None:
        self.listeners = listeners

    async def send(self, pair: Pair, body: str, *, by_patient: bool) -> tuple[UUID, float, float]:
        assert by_patient or body != CRISIS
        message_id, asked = uuid4(), time.monotonic()
        listener, answered = self.listeners[pair.therapist_id], asked + 0.005
        listener.messages[message_id] = asked + PUSHED
        if body == CRISIS:
            listener.alerts[pair.conversation_id] = answered + SHOWN
        return message_id, asked, answered


@pytest.fixture
def pairs() -> list[Pair]:
    therapist = uuid4()
    return [Pair(uuid4(), therapist, uuid4(), {}, {}) for _ in range(8)]


@pytest.fixture
def listeners(pairs: list[Pair]) -> dict[UUID, Listener]:
    return {pairs[0].therapist_id: Listener()}


@pytest.mark.promise("X6", "MS10")
async def test_a_delivery_counts_from_the_asking_until_it_is_on_the_other_page(
    pairs: list[Pair], listeners: dict[UUID, Listener]
) -> None:
    writers: Any = Writers(listeners)

    found = await crisis._pushed(writers, pairs, listeners, 0.2, rate=100, warm_up=0.1)

    assert 15 <= len(found) <= 21, "those of the warm-up do not count"
    assert found == [pytest.approx(PUSHED * 1000, abs=1e-6)] * len(found)


@pytest.mark.promise("X6")
async def test_an_alert_counts_from_the_answer_until_it_is_shown(pairs: list[Pair], listeners: dict[UUID, Listener]) -> None:
    writers: Any = Writers(listeners)

    found = await crisis._alerted(writers, pairs[:4], pairs[4:], listeners, 0.8, rate=100)

    assert found == [pytest.approx(SHOWN * 1000, abs=1e-6)] * 4


async def test_a_refused_message_is_sent_again_under_its_id_and_counts_from_the_first_asking(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked_for = iter([503, 503, 201]), list[tuple[object, ...]]()

    class Connections:
        def __init__(self, _: int) -> None:
            pass

        async def ask(self, method: str, path: str, headers: dict[str, str], body: str) -> int:
            asked_for.append((method, path, *headers.items(), body))
            return next(answers)

    monkeypatch.setattr(crisis, "KeptConnections", Connections)
    practice: Any = SimpleNamespace(stack=SimpleNamespace(ports={"messaging-api": 0}))
    writers = crisis.Writers(practice)

    _, asked, taken = await writers.send(pairs[0], CRISIS, by_patient=True)

    assert len(asked_for) == 3
    assert len(set(asked_for)) == 1
    assert writers.refused == 2
    assert taken - asked >= 2 * crisis._RETRY_SECONDS
