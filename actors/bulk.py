"""How chunks lie on a connection of bulk: a hello that proves whose it is, then records."""

from __future__ import annotations

import socket
import struct
from hashlib import sha256
from typing import NamedTuple

from tether.actors.frames import CHUNK, VERSION
from tether.actors.sealing import TAG

HELLO = struct.Struct(">7sBQ16s")
"""A word, the wire's version, the epoch of the connection's key, and a proof of knowing that."""
WORD = b"tether/"
RECORD = struct.Struct("<HI")
"""What stands before each chunk: the bytes of its header, and those of its data."""
HEADER_BYTES = 8 << 10
"""Bytes beyond which no header of ours is long, sealed or not."""
DATA_BYTES = CHUNK + TAG
TURN_BYTES = 1 << 19
"""What one turn of the loop moves at most, so that everything else gets its turn too."""


class Hello(NamedTuple):
    """What is said first: for which key a connection is, and that its name is known."""

    epoch: int
    proof: bytes


def proof_of(key: bytes) -> bytes:
    """Return what only who knows a key can say, and what says nothing about it."""
    return sha256(b"tether bulk proof" + key).digest()[:16]


def pack_hello(epoch: int, key: bytes) -> bytes:
    """Return the first bytes of a connection."""
    return HELLO.pack(WORD, VERSION, epoch, proof_of(key))


def unpack_hello(data: bytes | memoryview) -> Hello:
    """Return what the first bytes of a connection say; raises ValueError when they are not ours."""
    word, version, epoch, proof = HELLO.unpack(data)
    if word != WORD:
        raise ValueError("a connection came that does not begin as one for bulk does")
    if version != VERSION:
        raise ValueError(
            f"a connection of wire version {version} came, but version {VERSION} is spoken here"
        )
    return Hello(epoch, proof)


def unpack_record(data: memoryview, offset: int) -> tuple[int, int]:
    """Return how long a chunk's header and data are; raises ValueError beyond what ours can be."""
    header, size = RECORD.unpack_from(data, offset)
    if not 0 < header <= HEADER_BYTES or size > DATA_BYTES:
        raise ValueError(
            f"a chunk of {size} bytes with a header of {header} was announced, but at most "
            f"{DATA_BYTES} and {HEADER_BYTES} are wanted"
        )
    return header, size


def tune(stream: socket.socket, timeout: float) -> None:
    """Have a connection send at once, and end when nothing was heard for `timeout` seconds."""
    if stream.family == socket.AF_UNIX:
        return
    seconds = max(1, round(timeout))
    for name, value in (
        ("TCP_NODELAY", 1),
        ("TCP_KEEPIDLE", seconds),
        ("TCP_KEEPINTVL", 1),
        ("TCP_USER_TIMEOUT", round(timeout * 1000)),
    ):
        if hasattr(socket, name):
            stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
