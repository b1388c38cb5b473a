"""Asks a broker who votes in the metadata quorum (Kafka's DescribeQuorum, version 2), which no Python client offers.

A controller that lost its disk first leaves the quorum under its old directory id and then joins it under the new one.
Until it has, one more lost node stops the cluster; so whoever waits for a refilled node waits for this too.
"""

import base64
import socket
import struct

from local_stack.ports import HOST

_DESCRIBE_QUORUM, _VERSION = 55, 2
_TOPIC = b"__cluster_metadata"
# Leader, its epoch and the high watermark; then for each voter its offset and two times: all of it skipped.
_LEADER = 4 + 4 + 8
_PROGRESS = 8 + 8 + 8


class _Reader:
    """Takes an answer apart, field after field, as Kafka's flexible encoding has them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise ValueError("the answer ends early")
        self._at += count
        return piece

    def number(self, form: str) -> int:
        value: int = struct.unpack(f">{form}", self.take(struct.calcsize(f">{form}")))[0]
        return value

    def length(self) -> int:
        """A variable-length number less one: the length of a string or an array; -1 for none."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value - 1
            shift += 7

    def skip_text(self) -> None:
        self.take(max(0, self.length()))

    def skip_tags(self) -> None:
        for _ in range(self.length() + 1):
            self.length()
            self.take(self.length() + 1)


def voters(port: int, *, limit_seconds: float = 3.0) -> dict[int, str]:
    """The voters' directory ids by node number, as this broker's leader sees them; empty when nobody answers properly."""
    try:
        with socket.create_connection((HOST, port), timeout=limit_seconds) as connection:
            connection.sendall(_request())
            size = struct.unpack(">i", _receive(connection, 4))[0]
            return _voters(_Reader(_receive(connection, size)))
    except (OSError, ValueError, struct.error):
        return {}


def _request() -> bytes:
    header = struct.pack(">hhih", _DESCRIBE_QUORUM, _VERSION, 1, -1) + b"\x00"
    body = b"\x02" + bytes([len(_TOPIC) + 1]) + _TOPIC + b"\x02" + struct.pack(">i", 0) + b"\x00\x00\x00"
    return struct.pack(">i", len(header) + len(body)) + header + body


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise OSError("the connection was closed")
        data += piece
    return data


def _voters(answer: _Reader) -> dict[int, str]:
    answer.number("i")
    answer.skip_tags()
    if answer.number("h") != 0:
        return {}
    answer.skip_text()
    if answer.length() != 1:
        return {}
    answer.skip_text()
    if answer.length() != 1 or answer.number("i") != 0 or answer.number("h") != 0:
        return {}
    answer.skip_text()
    answer.take(_LEADER)
    return dict(_voter(answer) for _ in range(answer.length()))


def _voter(answer: _Reader) -> tuple[int, str]:
    number = answer.number("i")
    directory = base64.urlsafe_b64encode(answer.take(16)).decode().rstrip("=")
    answer.take(_PROGRESS)
    answer.skip_tags()
    return number, directory
