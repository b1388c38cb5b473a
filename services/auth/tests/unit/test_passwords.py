"""Which passwords are good enough, and how they are hashed."""

import asyncio

import bcrypt
import pytest

from auth.clients.passwords import HashingPolicy, PasswordHashing
from auth.domain.outcomes import WeakPassword
from auth.domain.passwords import PasswordHash, choose_password
from auth.domain.users import normalise_email
from service_kit.errors import ServiceUnavailable

EMAIL = normalise_email("robin.vale@example.test")
POLICY = HashingPolicy(memory_kib=64, passes=1, lanes=1, threads=2, queue_limit=2, retry_after_seconds=3)


@pytest.fixture
def hashing():
    made = PasswordHashing(POLICY)
    yield made
    made.close()


@pytest.mark.parametrize(
    "text", ["seven green bottles", "Zwölf Flaschen", "p@ssw0rd-of-mine", "x1y2z3" * 40, "密码密码一二三四五六七八"]
)
def test_long_passwords_are_good(text):
    assert choose_password(text, email=EMAIL)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "robin.valerobin.vale",
        "x robin.vale@example.test",
        "ab" * 200,
    ],
)
def test_short_repeated_and_own_address_are_not(text):
    with pytest.raises(WeakPassword) as refused:
        choose_password(text, email=EMAIL)
    assert not text or text not in str(refused.value)


@pytest.mark.promise("AU4")
async def test_a_hash_is_right_for_its_password_only(hashing):
    stored = await hashing.hash(choose_password("seven green bottles", email=EMAIL))

    assert stored.startswith("$argon2id$")
    assert (await hashing.verify(stored, "seven green bottles")).is_right
    assert not (await hashing.verify(stored, "seven green bottle")).is_right
    assert stored != await hashing.hash(choose_password("seven green bottles", email=EMAIL))


async def test_an_account_without_a_password_costs_one_look_like_any_other(hashing):
    verdict = await hashing.verify(None, "nobody has this password")

    assert (verdict.is_right, verdict.needs_upgrade, hashing.verifications) == (False, False, 1)


@pytest.mark.promise("AU4")
@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
async def test_bcrypt_hashes_verify_and_ask_to_be_made_anew(hashing, prefix):
    stored = PasswordHash(bcrypt.hashpw(b"an old password", bcrypt.gensalt(4, prefix=prefix)).decode())

    right, wrong = await hashing.verify(stored, "an old password"), await hashing.verify(stored, "another")

    assert (right.is_right, right.needs_upgrade, wrong.is_right) == (True, True, False)


async def test_a_full_queue_turns_the_next_one_away_and_recovers(hashing):
    stored = await hashing.hash(choose_password("seven green bottles", email=EMAIL))

    results = await asyncio.gather(*(hashing.verify(stored, "x") for _ in range(9)), return_exceptions=True)

    refused = [result for result in results if isinstance(result, ServiceUnavailable)]
    assert len(refused) == 5
    assert refused[0].headers["Retry-After"] == "3"
    assert (await hashing.verify(stored, "seven green bottles")).is_right


async def test_the_event_loop_goes_on_while_passwords_are_hashed():
    slow = PasswordHashing(HashingPolicy(memory_kib=65_536, passes=4, lanes=1, threads=1, queue_limit=9, retry_after_seconds=1))
    hashed = asyncio.create_task(slow.hash(choose_password("seven green bottles", email=EMAIL)))
    turns = 0
    while not hashed.done():
        await asyncio.sleep(0.001)
        turns += 1
    slow.close()

    assert turns >= 5
