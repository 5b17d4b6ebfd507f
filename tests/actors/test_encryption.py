"""Two hosts: who is let in, who is not, what travels sealed, and what comes after a broken wire."""

from __future__ import annotations

import asyncio
import itertools
import select
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import msgpack
import pytest
import torch
import zmq

from tests.actors.breaks import Center, cut_amid
from tests.actors.conftest import (
    SIDES,
    World,
    acquaint,
    far,
    guarded,
    keyrings,
    until,
)
from tether.actors.bulk import HELLO, WORD, pack_hello
from tether.actors.encryption import Encryption
from tether.actors.frames import VERSION
from tether.actors.zeromq import KEYS, ZeroMQ


class Noting:
    """Takes in what a transport brings."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.chunks: list[tuple[bytes, bytes]] = []
        self.renewed = 0

    def frame(self, data: bytes, lease: Any = None) -> None:
        self.frames.append(data)

    def chunk(self, header: bytes, data: memoryview) -> None:
        self.chunks.append((header, bytes(data)))

    def connected(self, process: str) -> None:
        self.renewed += 1


Change = Callable[[bytes], bytes]


class Wire:
    """A stretch of TCP before one endpoint, which can be cut, and change what goes in."""

    def __init__(self, far_end: str) -> None:
        self.port = int(far_end.rpartition(":")[2])
        self.change: Change = lambda data: data
        self.carried = bytearray()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def lay(self) -> str:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._carry(reader, far_writer, inward=True),
            self._carry(far_reader, writer, inward=False),
        )

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, inward: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if inward:
                    data = self.change(data)
                    self.carried += data
                writer.write(data)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def remove(self) -> None:
        self.cut()
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def pair() -> AsyncIterator[World]:
    world = await guarded()
    yield world
    await world.close()


def network(world: World, side: str) -> ZeroMQ:
    transport = world.nodes[side].transport
    assert isinstance(transport, ZeroMQ)
    return transport


@pytest.fixture
async def wires(pair: World) -> AsyncIterator[dict[str, Wire]]:
    """The wires from left to right."""
    found = {}
    for line, end in zip("cb", network(pair, "right").bound, strict=True):
        found[line] = Wire(end)
    ends = [await wire.lay() for wire in found.values()]
    network(pair, "left").addresses["right"] = ends[0], ends[1]
    yield found
    for wire in found.values():
        await wire.remove()


@pytest.mark.parametrize("level", ["on", "control", "off"])
async def test_all_that_is_said_arrives_at_every_level(level: str) -> None:
    world = await guarded(encryption=level)
    center = world.spawn("center/0", Center)
    x = torch.arange(700_000.0)

    assert await center.echo("hello") == "hello"
    assert torch.equal(await center.echo(x), x)
    await world.quiet()

    assert [network(world, side).refusals.count for side in SIDES] == [{}, {}]
    await world.close()


SECRET = b"a secret, said in a way that is easily found"


@pytest.mark.parametrize(("level", "read"), [("on", ""), ("control", "b"), ("off", "cb")])
async def test_what_can_be_read_on_the_wire(level: str, read: str) -> None:
    world = await guarded(encryption=level)
    center = world.spawn("center/0", Center)
    lines = dict(zip("cb", map(Wire, network(world, "right").bound), strict=True))
    ends = [await wire.lay() for wire in lines.values()]
    network(world, "left").addresses["right"] = ends[0], ends[1]

    await center.echo(SECRET.decode())
    await center.echo(torch.frombuffer(bytearray(SECRET * 3000), dtype=torch.uint8))

    found = {line: SECRET in wire.carried for line, wire in lines.items()}
    assert found == {"c": "c" in read, "b": "b" in read}
    assert (b"center/0" in lines["b"].carried) == ("b" in read)
    await world.close()
    for wire in lines.values():
        await wire.remove()


@pytest.mark.parametrize("lines", ["c", "b", "cb", "bc"])
async def test_broken_connections_lose_and_double_nothing(
    pair: World, wires: dict[str, Wire], lines: str
) -> None:
    await cut_amid(pair, pair.spawn("center/0", Center), [wires[line] for line in lines])


async def test_a_changed_chunk_is_refused_and_sent_again_under_another_key(
    pair: World, wires: dict[str, Wire]
) -> None:
    center = pair.spawn("center/0", Center)
    x = torch.arange(1_000_000.0)
    assert torch.equal(await center.echo(x), x)
    flips = iter([True])

    def flip(data: bytes) -> bytes:
        if len(data) > 30_000 and next(flips, False):
            return data[:20_000] + bytes([data[20_000] ^ 1]) + data[20_001:]
        return data

    wires["b"].change = flip
    again = await center.echo(x)

    assert torch.equal(again, x)
    assert next(flips, None) is None
    right, left = (network(pair, side).refusals.count for side in ("right", "left"))
    assert right["forged"] == 1
    assert left == {"chunk lost": 1}


async def test_a_peer_whose_protocol_breaks_is_connected_to_again(
    pair: World, wires: dict[str, Wire]
) -> None:
    center = pair.spawn("center/0", Center)
    assert await center.echo(1) == 1
    noise = iter([bytes(range(256)) * 40])

    wires["c"].change = lambda data: next(noise, data)

    assert await center.echo(2) == 2
    assert next(noise, None) is None


async def refused(left: ZeroMQ, right: ZeroMQ) -> tuple[Noting, Noting]:
    """Have the left side speak to the right one, who both do not agree on keys."""
    ours, theirs = Noting(), Noting()
    await left.start(ours)
    await right.start(theirs)
    acquaint(left, right)
    left.send("right", b"hello")
    left.send_chunk("right", b"head", memoryview(b"data"))
    return ours, theirs


@pytest.mark.parametrize(
    ("ours", "theirs", "here", "there"),
    [
        ("stranger", "b", ("not on the list", "does not let us in: our key"),
         ("not on the list", "was not let in: its key,")),
        ("mistaken", "b", ("wrong key", "its public key here is not its own"),
         ("wrong key", "it takes another key for ours")),
        ("none", "b", ("encryption differs", "do not agree on encryption"),
         ("encryption differs", "it does not encrypt as is done here")),
        ("a", "none", ("encryption differs", "do not agree on encryption"),
         ("encryption differs", "it does not encrypt as is done here")),
    ],
)  # fmt: skip
async def test_who_has_not_the_right_key_is_refused_and_both_sides_tell(
    ours: str,
    theirs: str,
    here: tuple[str, str],
    there: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys, others = keyrings("a", "b"), keyrings("a", "b")
    mixed = {"a": others["a"].public["a"], "b": keys["b"].public["b"]}
    wrong = {"a": keys["a"].public["a"], "b": others["b"].public["b"]}
    rings = keys | {
        "stranger": type(keys["a"])("a", others["a"].secret, mixed),
        "mistaken": type(keys["a"])("a", keys["a"].secret, wrong),
    }
    left, right = (
        far(side, rings.get(name), encryption="off" if name == "none" else "on")
        for side, name in (("left", ours), ("right", theirs))
    )

    _, heard = await refused(left, right)
    await until(lambda: left.refusals.count[here[0]] and right.refusals.count[there[0]])

    assert here[1] in caplog.text
    assert there[1] in caplog.text
    assert "right on host b" in caplog.text
    assert (heard.frames, heard.chunks) == ([], [])
    await left.close(0)
    await right.close(0)


async def test_who_is_let_in_after_all_needs_not_be_told() -> None:
    keys = keyrings("a", "b")
    left, wrong = far("left", keys["a"]), far("right", keyrings("a", "b")["b"])
    await refused(left, wrong)
    await until(lambda: left.refusals.count["wrong key"])
    control, bulk = wrong.bound
    await wrong.close(0)

    right, heard = far("right", keys["b"]), Noting()
    right.addresses["right"] = control, bulk
    await right.start(heard)
    right.addresses["left"] = left.bound
    await until(lambda: heard.frames and heard.chunks)

    assert (heard.frames, heard.chunks) == ([b"hello"], [(b"head", b"data")])
    await left.close(0)
    await right.close(0)


def dealer(**options: Any) -> zmq.Socket[bytes]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    made = context.socket(zmq.DEALER)
    made.setsockopt(zmq.LINGER, 0)
    for name, value in options.items():
        made.setsockopt(getattr(zmq, name.upper()), value)
    return made


async def test_bulk_lets_nobody_in_from_where_no_key_has_come() -> None:
    right = far("right", keyrings("a", "b")["b"])
    await right.start(Noting())
    client = dealer()
    client.connect(right.bound[1])

    await until(lambda: right.refusals.count["not on the list"])

    client.close()
    await right.close(0)


async def test_what_a_stranger_sends_to_bulk_costs_a_count(
    pair: World, caplog: pytest.LogCaptureFixture
) -> None:
    center = pair.spawn("center/0", Center)
    assert await center.echo(torch.ones(10)) is not None
    right = network(pair, "right")
    port = int(right.bound[1].rpartition(":")[2])
    known = pack_hello(7, bytes(32))

    for said in (bytes(HELLO.size), known, known.replace(WORD, b"father/"), b"too short"):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(said)
    await until(lambda: right.refusals.count.total() == 3)

    assert right.refusals.count == {"foreign": 2, "unknown key": 1}
    assert right.foreign == 2
    assert "a connection came that does not begin as one for bulk does" in caplog.text
    assert "under a key that nobody has told, or that was used before" in caplog.text
    assert await center.echo(torch.ones(100_000)) is not None


async def test_a_host_speaks_only_for_its_own_processes(caplog: pytest.LogCaptureFixture) -> None:
    keys = keyrings("a", "b", "c")
    right, heard = far("right", keys["b"]), Noting()
    await right.start(heard)
    client = dealer(identity=b"left/1")
    keys["c"].dial(client, "b")
    client.connect(right.bound[0])
    client.send(b"as if of the left side")

    await until(lambda: right.refusals.count["other host"])

    assert "host c speaks for 'left', which does not run there" in caplog.text
    assert heard.frames == []
    client.close()
    await right.close(0)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (b"\xc1", "a word about keys is malformed"),
        (msgpack.packb([VERSION - 1, 0, b"x" * 32]), "is not one of this wire version"),
        (msgpack.packb([VERSION, 9, 1]), "is not one of this wire version"),
        (msgpack.packb([VERSION, 0, b"short"]), "came without a key, or the name of one"),
        (msgpack.packb([VERSION, 0, 7]), "came without a key, or the name of one"),
        (msgpack.packb([VERSION, 1, b"x" * 32]), "came without a key, or the name of one"),
    ],
)
async def test_a_word_about_keys_that_is_none_costs_a_count(
    pair: World, caplog: pytest.LogCaptureFixture, word: bytes, told: str
) -> None:
    center = pair.spawn("center/0", Center)
    left, right = network(pair, "left"), network(pair, "right")
    assert await center.echo(1) == 1

    left._peer("right").control.pump.send(KEYS, word)
    await until(lambda: right.refusals.count["word"])

    assert told in caplog.text
    assert await center.echo(2) == 2


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="encryption is 'maybe', but one of on, control, off is"):
        far("left", None, encryption="maybe")


async def test_without_keys_nobody_listens_on_the_network() -> None:
    transport = far("left", None)
    with pytest.raises(ValueError, match="is on the network, but there are no keys: make them"):
        await transport.start(Noting())

    await transport.close(0)

    assert transport.bound == ("", "")


def test_a_process_whose_host_is_unknown_is_not_spoken_to() -> None:
    encryption = Encryption("on", keyrings("a")["a"])
    client = dealer()

    with pytest.raises(ValueError, match="but nobody has told on which host it runs, and so which"):
        encryption.dial(client, "other", "tcp://127.0.0.1:1")
    client.close()


def test_files_of_one_host_need_no_keys() -> None:
    encryption = Encryption()

    assert encryption.keys("ipc:///tmp/x.c") is None
    assert not encryption.seals("ipc:///tmp/x.b")


async def test_all_interfaces_are_bound_only_when_that_is_said() -> None:
    everywhere = {"right": ("tcp://0.0.0.0:*", "tcp://*:*")}
    keyring = keyrings("b")["b"]
    closed = ZeroMQ("right", 1, everywhere, keyring=keyring)

    with pytest.raises(ValueError, match="listens on all interfaces, but one address of this host"):
        await closed.start(Noting())
    open_ = ZeroMQ("right", 1, everywhere, keyring=keyring, everywhere=True)
    await open_.start(Noting())

    assert [end.rpartition(":")[0] for end in open_.bound] == ["tcp://0.0.0.0"] * 2
    await closed.close(0)
    await open_.close(0)


async def test_no_socket_has_beats_of_zeromqs_which_may_abort_the_process(pair: World) -> None:
    center = pair.spawn("center/0", Center)
    await center.echo(1)
    left = network(pair, "left")

    assert left._listener is not None
    sockets = [left._listener.socket, left._peer("right").control.pump.socket]

    assert [socket.getsockopt(zmq.HEARTBEAT_IVL) for socket in sockets] == [0] * 2


async def test_what_was_queued_before_a_key_was_agreed_on_leaves_in_order() -> None:
    keys = keyrings("a", "b")
    left, right = far("left", keys["a"]), far("right", keys["b"])
    heard = Noting()
    await left.start(Noting())
    await right.start(heard)
    acquaint(left, right)
    chunks = [(b"%d" % n, bytes([n]) * size) for n, size in zip(range(9), itertools.cycle((0, 5)))]
    for header, data in chunks:
        left.send_chunk("right", header, memoryview(data))

    await until(lambda: len(heard.chunks) == len(chunks))

    assert heard.chunks == chunks
    await left.close(0)
    await right.close(0)


async def test_a_process_that_was_started_anew_is_told_another_key(pair: World) -> None:
    left, right = network(pair, "left"), network(pair, "right")
    center = pair.spawn("center/0", Center)
    x = torch.ones(100_000)
    assert torch.equal(await center.echo(x), x)
    await right.close(0)

    again, heard = far("right", right._encryption.keyring), Noting()
    await again.start(heard)
    again.addresses["left"] = left.bound
    left.renew("right", again.bound)
    left.send_chunk("right", b"head", memoryview(b"data"))
    await until(lambda: heard.chunks)

    assert heard.chunks == [(b"head", b"data")]
    await again.close(0)


async def test_one_whose_address_is_learned_later_is_told_then_that_its_key_is_known() -> None:
    keys = keyrings("a", "b")
    left, right, heard = far("left", keys["a"]), far("right", keys["b"]), Noting()
    await left.start(Noting())
    await right.start(heard)
    left.addresses["right"] = right.bound
    left.send_chunk("right", b"head", memoryview(b"data"))
    await until(lambda: right._agreement._keys.epochs("left"))

    right.renew("left", left.bound)
    right.send("left", b"hello")
    await until(lambda: heard.chunks)

    assert heard.chunks == [(b"head", b"data")]
    await left.close(0)
    await right.close(0)


LISTENER = """
import asyncio, sys, zmq
from tether.actors.keyring import Keyring
from tether.actors.zeromq import ZeroMQ

class Deaf:
    def frame(self, data): ...
    def chunk(self, header, data): ...
    def connected(self, process): ...

async def main():
    public, secret = zmq.curve_keypair()
    ends = {"right": ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")}
    transport = ZeroMQ("right", 1, ends, keyring=Keyring("b", secret, {"b": public}))
    await transport.start(Deaf())
    print(*transport.bound, flush=True)
    sys.stdin.readline()  # the loop stands still, as it does in a long handler
    while not transport.refusals.count:
        await asyncio.sleep(0.001)
    await transport.close(0)
    print("alive")

asyncio.run(main())
"""
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
PING = b"\x04PING\x00\x10"


def command(body: bytes) -> bytes:
    return b"\x04" + bytes([len(body)]) + body


@pytest.mark.parametrize("line", [0, 1])
def test_a_stranger_that_pings_and_dies_does_not_abort_the_process(line: int) -> None:
    """It would abort one that lets it in, as any without keys does: an assertion of ZeroMQ's.

    Messages fill the socket, the stranger is gone, and then the ping is to be answered.
    """
    child = subprocess.Popen(
        [sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    port = int(child.stdout.readline().split()[line].rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port)) as stranger, suppress(OSError):
        stranger.sendall(GREETING + command(READY))
        stranger.setblocking(False)
        flood = (b"\x00\x01x" * 20 + command(PING)) * 1000
        while select.select([], [stranger], [], 0.3)[1]:  # until nothing more is taken
            stranger.send(flood)
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    told, _ = child.communicate("go on\n", timeout=20)

    assert (child.returncode, told) == (0, "alive\n")
