"""A download: chunks come whole and in order, however their bytes come; what lies ends it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.actors.conftest import until
from tether.actors.bulk import HEADER_BYTES, HELLO, RECORD, Hello, pack_hello
from tether.actors.download import Download
from tether.actors.frames import CHUNK
from tether.actors.landing import Berth, Landing
from tether.actors.sealing import ENVELOPE, TAG, Opener, Refused, Sealer, epoch_of

KEY = bytes(range(32))
Plain = tuple[bytes, bytes]


class Noting:
    """Takes in what a transport brings."""

    def __init__(self) -> None:
        self.chunks: list[Plain] = []

    def frame(self, data: bytes, lease: Any = None) -> None: ...

    def chunk(self, header: bytes, data: memoryview) -> None:
        self.chunks.append((header, bytes(data)))

    def connected(self, process: str) -> None: ...


class Ground(Landing):
    """Has room prepared for the chunks of some headers."""

    def __init__(self, receiver: Noting) -> None:
        super().__init__(receiver)
        self.rooms: dict[bytes, bytearray] = {}
        self.full: list[bytes] = []

    def find(self, header: bytes, nbytes: int) -> Berth | None:
        room = self.rooms.get(header)
        return None if room is None else Berth(None, None, memoryview(room)[:nbytes])  # type: ignore[arg-type]

    def take(self, header: bytes, data: memoryview, berth: Berth | None) -> None:
        if berth is None:
            super().take(header, data, None)
        else:
            self.full.append(header)


class Taken:
    """A download, and what it has handed on."""

    def __init__(self, *, sealed: bool = False) -> None:
        self.far, near = socket.socketpair()
        self.noting = Noting()
        self.ground = Ground(self.noting)
        self.refused: list[ValueError] = []
        self.ended: list[Download] = []
        self.sealed = sealed
        self.download = Download(
            near, self.ground, self.admit, lambda _, error: self.refused.append(error),
            self.ended.append,
        )  # fmt: skip

    def admit(self, download: Download, hello: Hello) -> Opener | None:
        if hello.epoch != epoch_of(KEY):
            raise Refused("nobody knows it", "unknown key")
        download.process = "left"
        return Opener(KEY) if self.sealed else None

    def close(self) -> None:
        self.download.close()
        self.far.close()


def record(header: bytes, data: bytes) -> bytes:
    return RECORD.pack(len(header), len(data)) + header + data


def sealed_records(chunks: list[Plain]) -> list[bytes]:
    sealer = Sealer(KEY)
    found = []
    for header, data in chunks:
        room = memoryview(bytearray(len(data) + TAG))
        head, body = sealer.seal(header, memoryview(data), room)
        found.append(record(head, bytes(body)))
    return found


HI = pack_hello(epoch_of(KEY), KEY)
CHUNKS = [(b"a", b"x" * 5), (b"none", b""), (b"large", bytes(range(256)) * 4096), (b"z", b"end")]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("step", [1 << 22, 100_003, 40])
async def test_chunks_come_whole_and_in_order(sealed: bool, step: int) -> None:
    taken = Taken(sealed=sealed)
    chunks = CHUNKS if step > 1000 else [(header, data[:700]) for header, data in CHUNKS]
    records = sealed_records(chunks) if sealed else [record(*chunk) for chunk in chunks]
    stream = memoryview(HI + b"".join(records))

    taken.far.setblocking(False)
    loop = asyncio.get_running_loop()
    for begin in range(0, len(stream), step):
        await loop.sock_sendall(taken.far, stream[begin : begin + step])
    await until(lambda: len(taken.noting.chunks) == len(chunks))

    assert taken.noting.chunks == chunks
    assert (taken.refused, taken.ended) == ([], [])
    taken.close()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.binary(max_size=90)), max_size=6),
    st.lists(st.integers(1, 60)),
)
async def test_it_does_not_matter_where_the_bytes_are_cut(
    chunks: list[Plain], cuts: list[int]
) -> None:
    taken = Taken()
    stream = HI + b"".join(record(*chunk) for chunk in chunks)
    for cut in cuts:
        taken.far.sendall(stream[:cut])
        stream = stream[cut:]
        taken.download._read()
    taken.far.sendall(stream)
    taken.far.shutdown(socket.SHUT_WR)
    while not taken.ended:
        taken.download._read()

    assert taken.noting.chunks == chunks
    assert taken.refused == []
    taken.close()


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_chunk_is_received_where_it_belongs(sealed: bool) -> None:
    taken = Taken(sealed=sealed)
    data = bytes(range(250)) * 1000
    room = taken.ground.rooms[b"known"] = bytearray(len(data) + 3)
    chunks = [(b"known", data), (b"unknown", b"xyz")]
    records = sealed_records(chunks) if sealed else [record(*chunk) for chunk in chunks]

    for part in (HI, *records):
        whole = memoryview(part)
        while whole:
            whole = whole[taken.far.send(whole[:60_000]) :]
            taken.download._read()
    await until(lambda: taken.noting.chunks)

    assert taken.ground.full == [b"known"]
    assert room == data + bytes(3)
    assert taken.noting.chunks == [(b"unknown", b"xyz")]
    taken.close()


async def test_of_a_chunk_that_is_cut_off_nothing_is_handed_on() -> None:
    taken = Taken()
    taken.ground.rooms[b"known"] = bytearray(100)

    taken.far.sendall(HI + record(b"known", bytes(100))[:-1])
    taken.far.close()
    await until(lambda: taken.ended)

    assert (taken.ground.full, taken.noting.chunks, taken.refused) == ([], [], [])
    assert taken.download.closed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (bytes(HELLO.size), "does not begin as one for bulk does"),
        (pack_hello(7, KEY), "nobody knows it"),
        (HI + RECORD.pack(0, 5), "a chunk of 5 bytes with a header of 0 was announced"),
        (HI + RECORD.pack(HEADER_BYTES + 1, 5), "a chunk of 5 bytes with a header of"),
        (HI + RECORD.pack(1, CHUNK + TAG + 1), "was announced, but at most"),
    ],
)
async def test_what_lies_ends_the_connection(said: bytes, told: str) -> None:
    taken = Taken()

    taken.far.sendall(said + record(b"after", b"it"))
    await until(lambda: taken.ended)

    (error,) = taken.refused
    assert told in str(error)
    assert taken.noting.chunks == []
    taken.far.close()


async def test_a_forged_chunk_ends_the_connection_and_a_replayed_one_does_not() -> None:
    taken = Taken(sealed=True)
    first, second, third = sealed_records([(b"1", b"1"), (b"2", b"2"), (b"3", b"3")])

    taken.far.sendall(HI + first + first + second + third[:-1] + bytes([third[-1] ^ 1]) + third)
    await until(lambda: taken.ended)

    assert taken.noting.chunks == [(b"1", b"1"), (b"2", b"2")]
    assert [str(error) for error in taken.refused] == [
        "chunk 0 came again, or after its turn",
        "chunk 2 does not open: it is forged, changed or cut short",
    ]
    taken.far.close()


async def test_what_is_not_sealed_where_it_should_be_is_refused() -> None:
    taken = Taken(sealed=True)

    taken.far.sendall(HI + record(b"open", b"x") + record(ENVELOPE.pack(1, 0) + bytes(30), b"y"))
    await until(lambda: taken.ended)

    assert "a chunk came that is not sealed" in str(taken.refused[0])
    assert "chunk 0 does not open" in str(taken.refused[1])
    assert taken.noting.chunks == []
    taken.far.close()
