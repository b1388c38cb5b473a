"""Reading who votes: a whole answer gives the seats, anything else gives none instead of an exception."""

import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.ports import HOST, free_port
from local_stack.quorum import _Reader, _voters, voters

_VOTER = struct.pack(">i", 7) + bytes(range(16)) + struct.pack(">qqq", 5, 0, 0) + b"\x00"
_PARTITION = struct.pack(">ih", 0, 0) + b"\x00" + struct.pack(">iiq", 7, 1, 5) + b"\x02" + _VOTER
_ANSWER = (
    struct.pack(">i", 1) + b"\x00" + struct.pack(">h", 0) + b"\x00" + b"\x02" + b"\x13__cluster_metadata" + b"\x02" + _PARTITION
)


def test_a_whole_answer_gives_the_directory_of_each_voter() -> None:
    assert _voters(_Reader(_ANSWER)) == {7: "AAECAwQFBgcICQoLDA0ODw"}


@given(st.integers(min_value=0, max_value=len(_ANSWER) - 1))
def test_an_answer_that_ends_early_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="ends early"):
        _voters(_Reader(_ANSWER[:cut]))


def test_an_answer_with_an_error_gives_no_voters() -> None:
    assert _voters(_Reader(_ANSWER[:5] + struct.pack(">h", 41) + _ANSWER[7:])) == {}


def test_nobody_at_the_port_gives_no_voters() -> None:
    assert voters(free_port()) == {}


def test_a_program_that_hangs_up_gives_no_voters() -> None:
    with socket.create_server((HOST, 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        answering = threading.Thread(target=hang_up)
        answering.start()
        assert voters(server.getsockname()[1]) == {}
        answering.join()
