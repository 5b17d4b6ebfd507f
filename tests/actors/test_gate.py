"""A gate: who proves to be a peer is let in, one at a time of each process; nobody else is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgpack
import pytest

from tests.actors.conftest import until
from tether.actors import gate
from tether.actors.agreement import OFFER, Agreement, unpacked
from tether.actors.bulk import RECORD, pack_hello
from tether.actors.frames import VERSION
from tether.actors.gate import Gate
from tether.actors.landing import Landing
from tether.actors.refusals import Refusals
from tether.actors.sealing import TAG, Sealer, epoch_of, new_key


class Noting:
    def __init__(self) -> None:
        self.chunks: list[tuple[bytes, bytes]] = []

    def frame(self, data: bytes, lease: Any = None) -> None: ...

    def chunk(self, header: bytes, data: memoryview) -> None:
        self.chunks.append((header, bytes(data)))

    def connected(self, process: str) -> None: ...


class Yard:
    """A gate, who stands before it, and what came in."""

    def __init__(self, *, sealed: bool = False, timeout: float = 60.0) -> None:
        self.noting = Noting()
        self.refusals = Refusals("right")
        self.said: list[tuple[str, bytes]] = []
        self.agreement = Agreement(lambda *said: self.said.append(said), self.refusals)
        self.allowed = True
        self.gate = Gate(
            "tcp://127.0.0.1:*", Landing(self.noting), self.agreement, self.refusals, timeout,
            sealed=sealed, known=lambda where: self.allowed and where == "127.0.0.1",
        )  # fmt: skip
        self.callers: list[socket.socket] = []

    def key(self, process: str = "left") -> bytes:
        """Return a key that a process has told."""
        key = new_key()
        self.agreement.hear(process, bytes(msgpack.packb([VERSION, OFFER, key])))
        return key

    def call(self, said: bytes = b"") -> socket.socket:
        """Connect, and say something."""
        port = int(self.gate.bound.rpartition(":")[2])
        caller = socket.create_connection(("127.0.0.1", port))
        self.callers.append(caller)
        caller.sendall(said)
        return caller

    async def ended(self, caller: socket.socket) -> None:
        """Wait until the gate has hung up."""
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            assert await loop.sock_recv(caller, 1) == b""

    def close(self) -> None:
        self.gate.close()
        for caller in self.callers:
            caller.close()


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    made = Yard()
    yield made
    made.close()


def hello(key: bytes) -> bytes:
    return pack_hello(epoch_of(key), key)


def record(header: bytes, data: bytes) -> bytes:
    return RECORD.pack(len(header), len(data)) + header + data


async def test_who_shows_a_key_that_was_told_is_heard(yard: Yard) -> None:
    yard.call(hello(yard.key()) + record(b"head", b"data"))

    await until(lambda: yard.noting.chunks)

    assert yard.noting.chunks == [(b"head", b"data")]
    assert yard.refusals.count == {}


async def test_a_connection_played_again_is_refused(yard: Yard) -> None:
    said = hello(yard.key()) + record(b"head", b"data")
    yard.call(said)
    await until(lambda: yard.noting.chunks)

    await yard.ended(yard.call(said))

    assert yard.noting.chunks == [(b"head", b"data")]
    assert yard.refusals.count == {"unknown key": 1}


async def test_who_knows_only_the_name_of_a_key_is_refused(yard: Yard) -> None:
    key = yard.key()

    await yard.ended(yard.call(pack_hello(epoch_of(key), new_key())))
    yard.call(hello(key) + record(b"head", b"data"))
    await until(lambda: yard.noting.chunks)

    assert yard.refusals.count == {"wrong proof": 1}


async def test_who_comes_from_elsewhere_is_not_let_in(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    yard.allowed = False

    await yard.ended(yard.call(hello(yard.key())))

    assert yard.refusals.count == {"not on the list": 1}
    told = "one from 127.0.0.1 was not let in: nobody with a key has come from there"
    assert told in caplog.text


async def test_the_next_connection_of_a_process_takes_the_place_of_the_last(yard: Yard) -> None:
    old, other = yard.call(hello(yard.key())), yard.call(hello(yard.key("middle")))
    yard.call(hello(yard.key()) + record(b"new", b""))
    await yard.ended(old)

    other.sendall(record(b"of another", b""))
    await until(lambda: len(yard.noting.chunks) == 2)

    assert sorted(yard.noting.chunks) == [(b"new", b""), (b"of another", b"")]


async def test_the_silent_are_few_and_the_first_of_them_goes(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "STRANGERS", 2)
    first, *_ = (yard.call() for _ in range(3))

    await yard.ended(first)

    assert len(yard.gate._strangers) == 2


async def test_who_stays_silent_is_not_waited_for() -> None:
    yard = Yard(timeout=0.01)

    await yard.ended(yard.call(b"tether"))

    assert yard.refusals.count == {}
    yard.close()


async def test_what_does_not_open_is_told_to_who_has_sent_it() -> None:
    yard = Yard(sealed=True)
    key = yard.key()
    room = memoryview(bytearray(4 + TAG))
    head, body = Sealer(key).seal(b"head", memoryview(b"data"), room)
    yard.said.clear()

    caller = yard.call(hello(key) + record(head, bytes(TAG + 4)) + record(head, bytes(body)))
    await yard.ended(caller)

    assert yard.refusals.count == {"forged": 1}
    ((process, word),) = yard.said
    assert (process, unpacked(word)) == ("left", (2, epoch_of(key)))
    assert yard.noting.chunks == []
    yard.close()


async def test_one_that_is_closed_lets_go_of_all(yard: Yard) -> None:
    callers = [yard.call(hello(yard.key())), yard.call()]
    await until(lambda: yard.gate._downloads and yard.gate._strangers)

    yard.gate.close()
    yard.gate.close()

    for caller in callers:
        await yard.ended(caller)
