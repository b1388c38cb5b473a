"""Keys in memory: asked for once, kept for minutes, forgotten when they are gone, and never waited for when messaging is away."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from bloom_events.ids import ConversationId, TenantId, new_id
from ml_scoring.clients.conversation_keys import ASKED_AT_ONCE, AWAY_SECONDS, ConversationKeys, Key, KeyId, NoKey
from ml_scoring.domain.limits import KeyPolicy

KEY = bytes(range(32))


def key_id(conversation: ConversationId | None = None, version: int = 1) -> KeyId:
    return KeyId(TenantId(uuid4()), conversation or ConversationId(new_id()), version)


class Messaging:
    """Answers as it is told to, counts, and can be held up."""

    def __init__(self) -> None:
        self.asked: Counter[KeyId] = Counter()
        self.answers: dict[KeyId, Key] = {}
        self.answer: Key = KEY
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.at_once, self.most_at_once = 0, 0

    async def __call__(self, wanted: KeyId) -> Key:
        self.asked[wanted] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go_on.wait()
        finally:
            self.at_once -= 1
        return self.answers.get(wanted, self.answer)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def messaging() -> Messaging:
    return Messaging()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(messaging: Messaging, clock: Clock) -> ConversationKeys:
    policy = KeyPolicy(kept_seconds=300, most=3, patience_seconds=0.05)
    return ConversationKeys(messaging, policy, clock=clock)


async def test_a_key_is_asked_for_once_and_kept_for_as_long_as_it_may_be(keys, messaging, clock):
    wanted = key_id()
    for _ in range(3):
        assert await keys.find([wanted]) == {wanted: KEY}
    clock.seconds += 299
    await keys.find([wanted])
    assert messaging.asked[wanted] == 1
    clock.seconds += 2
    await keys.find([wanted])
    assert messaging.asked[wanted] == 2


async def test_many_that_want_a_key_at_once_ask_once(keys, messaging):
    wanted = key_id()
    messaging.go_on.clear()
    asking = [asyncio.create_task(keys.find([wanted, wanted], patience_seconds=10)) for _ in range(20)]
    await asyncio.sleep(0)
    messaging.go_on.set()
    assert await asyncio.gather(*asking) == [{wanted: KEY}] * 20
    assert messaging.asked[wanted] == 1


async def test_so_many_keys_are_kept_and_the_one_not_used_for_longest_goes_first(keys, messaging):
    wanted = [key_id() for _ in range(4)]
    for each in wanted[:3]:
        await keys.find([each])
    await keys.find([wanted[0]])
    await keys.find([wanted[3]])
    assert len(keys) == 3
    await keys.find([wanted[0]])
    await keys.find([wanted[1]])
    assert [messaging.asked[each] for each in wanted] == [1, 2, 1, 1]


async def test_so_many_are_asked_for_at_a_time(keys, messaging):
    messaging.go_on.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(keys.find([key_id() for _ in range(3 * ASKED_AT_ONCE)], patience_seconds=10))
        for _ in range(50):
            await asyncio.sleep(0)
        messaging.go_on.set()
    assert messaging.most_at_once == ASKED_AT_ONCE


async def test_a_forgotten_conversation_is_asked_for_anew_in_all_versions_and_others_are_not(keys, messaging):
    conversation = ConversationId(new_id())
    first, second, other = key_id(conversation), key_id(conversation, 2), key_id()
    await keys.find([first, second, other])
    keys.forget(conversation)
    assert len(keys) == 1
    messaging.answer = NoKey.DESTROYED
    assert await keys.find([first, second, other]) == {first: NoKey.DESTROYED, second: NoKey.DESTROYED, other: KEY}


async def test_a_key_on_its_way_when_it_is_forgotten_is_not_kept(keys, messaging):
    wanted = key_id()
    messaging.go_on.clear()
    asking = asyncio.create_task(keys.find([wanted], patience_seconds=10))
    await asyncio.sleep(0)
    keys.forget(wanted.conversation_id)
    messaging.go_on.set()
    assert await asking == {wanted: NoKey.AWAY}
    assert len(keys) == 0


async def test_forgetting_all_leaves_nothing(keys, messaging):
    await keys.find([key_id(), key_id()])
    messaging.go_on.clear()
    await keys.find([key_id()])
    keys.forget_all()
    messaging.go_on.set()
    await asyncio.sleep(0)
    assert len(keys) == 0


@pytest.mark.parametrize("answer", [NoKey.DESTROYED, NoKey.UNKNOWN])
async def test_that_there_is_no_key_is_not_kept_and_holds_up_nobody_else(keys, messaging, answer):
    missing, other = key_id(), key_id()
    messaging.answers[missing] = answer
    assert await keys.find([missing, other]) == {missing: answer, other: KEY}
    messaging.answers.clear()
    assert await keys.find([missing]) == {missing: KEY}


async def test_a_key_that_is_late_is_not_waited_for_and_is_there_the_next_time(keys, messaging):
    late = key_id()
    messaging.go_on.clear()
    assert await keys.find([late]) == {late: NoKey.AWAY}
    messaging.go_on.set()
    await asyncio.sleep(0.01)
    assert await keys.find([late]) == {late: KEY}
    assert messaging.asked[late] == 1


@pytest.mark.parametrize("trouble", ["away", "late"])
async def test_while_messaging_is_in_trouble_nobody_is_made_to_wait_for_it_except_who_says_so(keys, messaging, clock, trouble):
    kept, first, second = key_id(), key_id(), key_id()
    await keys.find([kept])
    if trouble == "away":
        messaging.answer = NoKey.AWAY
    else:
        messaging.go_on.clear()
    await keys.find([first])
    assert await keys.find([kept, second]) == {kept: KEY, second: NoKey.AWAY}
    assert messaging.asked[second] == 0
    messaging.answer = KEY
    messaging.go_on.set()
    assert await keys.find([second], patience_seconds=5) == {second: KEY}
    clock.seconds += AWAY_SECONDS
    assert await keys.find([third := key_id()]) == {third: KEY}
