"""Sealed files: whole or refused."""

import io

import pytest

from local_stack.errors import StackError
from local_stack.recovery.sealing import Seal

PIECE = 1 << 20
SEAL = Seal(b"k" * 32)


def sealed(content: bytes, name: str = "a") -> bytes:
    target = io.BytesIO()
    SEAL.seal(io.BytesIO(content), target, name=name)
    return target.getvalue()


def opened(content: bytes, name: str = "a", seal: Seal = SEAL) -> bytes:
    target = io.BytesIO()
    seal.open(io.BytesIO(content), target, name=name)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_was_sealed_is_opened_again(size: int) -> None:
    content = b"x" * size
    assert opened(sealed(content)) == content
    assert b"xxxx" not in sealed(content)


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[: len(whole) - PIECE // 2],
        lambda whole: whole + b"more",
        lambda whole: whole[:40] + bytes([whole[40] ^ 1]) + whole[41:],
        lambda whole: whole[:22] + whole[22 + PIECE + 16 :],
        lambda whole: b"plain text" + whole,
        lambda _: b"",
    ],
    ids=["cut", "a piece cut", "longer", "a bit", "first piece gone", "no seal", "empty"],
)
def test_what_is_not_whole_is_refused(broken) -> None:
    with pytest.raises(StackError):
        opened(broken(sealed(b"x" * PIECE + b"y" * (PIECE // 2))))


def test_another_key_or_another_name_opens_nothing() -> None:
    with pytest.raises(StackError, match="another key"):
        opened(sealed(b"x"), seal=Seal(b"l" * 32))
    with pytest.raises(StackError):
        opened(sealed(b"x"), name="b")


def test_two_seals_of_one_content_have_nothing_in_common() -> None:
    first, second = sealed(b"x" * 100), sealed(b"x" * 100)
    assert first[22:] != second[22:]


def test_a_mark_belongs_to_a_content_and_a_key() -> None:
    assert SEAL.mark_of(b"a") == Seal(b"k" * 32).mark_of(b"a")
    assert len({SEAL.mark_of(b"a"), SEAL.mark_of(b"b"), Seal(b"l" * 32).mark_of(b"a")}) == 3
