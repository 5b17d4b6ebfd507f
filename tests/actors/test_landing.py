"""Where chunks land: in the memory of their message, once, and only what is wanted."""

from __future__ import annotations

import msgpack
import pytest
import torch

from tests.actors.conftest import World, joined, until
from tether.actors.frames import VERSION
from tether.actors.landing import Landing
from tether.actors.node import Node
from tether.actors.packet import Pair
from tether.actors.transport import Receiver

N = 600_000


class Center:
    async def total(self, x: torch.Tensor) -> float:
        return x.sum().item()


class Held:
    """A network on which frames arrive, and chunks when a test lets them."""

    resend_after: float | None = None
    shares = False

    def __init__(self, others: dict[str, Held], name: str) -> None:
        self.others, self.name = others, name
        others[name] = self
        self.held: list[tuple[bytes, bytes]] = []
        self.receiver: Receiver | None = None

    async def start(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def send(self, process: str, frame: bytes) -> None:
        receiver = self.others[process].receiver
        assert receiver is not None
        receiver.frame(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        self.others[process].held.append((header, bytes(data)))

    def loans(self, process: str) -> None: ...

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None: ...

    async def close(self, linger: float) -> None: ...


class Play:
    """A vector on its way from left to right: its chunks are here."""

    def __init__(self, world: World, network: dict[str, Held]) -> None:
        self.world = world
        self.node: Node = world.nodes["right"]
        self.landing = Landing(self.node.switch)
        self.held = network["right"].held

    def land(self, header: bytes, data: bytes) -> bool:
        """Land a chunk; tell whether it had a place of its own."""
        berth = self.landing.find(header, len(data))
        if berth is not None:
            berth.room[:] = data
        self.landing.take(header, memoryview(data), berth)
        return berth is not None


@pytest.fixture
async def play() -> Play:
    network: dict[str, Held] = {}
    world = await joined({side: Held(network, side) for side in ("left", "right")})
    center = world.spawn("center/0", Center)
    world.start(lambda: center.total(torch.ones(N)))
    await until(lambda: network["right"].held)
    return Play(world, network)


async def test_chunks_land_in_the_memory_of_their_message(play: Play) -> None:
    assert len(play.held) == 3

    assert [play.land(*chunk) for chunk in play.held] == [True] * 3

    assert await play.world.end() == N
    assert play.node.switch.refused == {}
    await play.world.close()


async def test_a_chunk_that_has_landed_has_no_place_any_more(play: Play) -> None:
    first, *rest = play.held
    assert play.land(*first)

    assert not play.land(*first)
    assert [play.land(*chunk) for chunk in rest] == [True] * 2

    assert await play.world.end() == N
    assert not play.land(*rest[-1])  # the whole message was here before
    await play.world.close()


async def test_what_was_found_but_did_not_come_whole_is_not_counted(play: Play) -> None:
    header, data = play.held[-1]
    berth = play.landing.find(header, len(data))
    assert berth is not None
    berth.room[:100] = bytes(100)  # and here the connection breaks

    assert [play.land(*chunk) for chunk in play.held] == [True] * 3

    assert await play.world.end() == N
    await play.world.close()


async def test_one_that_came_by_another_way_meanwhile_is_not_counted_twice(play: Play) -> None:
    header, data = play.held[0]
    berth = play.landing.find(header, len(data))
    play.node.switch.chunk(header, memoryview(data))

    play.landing.take(header, memoryview(data), berth)
    for chunk in play.held[1:]:
        play.land(*chunk)

    assert await play.world.end() == N
    await play.world.close()


def altered(header: bytes, **changed: object) -> bytes:
    names = ("version", "run", "source", "target", "from_", "to", "number", "part", "offset")
    fields = dict(zip((*names, "total"), msgpack.unpackb(header), strict=True)) | changed
    return bytes(msgpack.packb(list(fields.values())))


@pytest.mark.parametrize(
    "changed",
    [
        {"version": VERSION + 1},
        {"run": "another"},
        {"target": "nobody/0"},
        {"from_": 9},
        {"number": 1 << 40},
        {"offset": -1},
        {"offset": 4 * N - 5},
        {"total": 5},
    ],
)
async def test_what_does_not_fit_has_no_place_and_the_switch_says_why(
    play: Play, changed: dict[str, object]
) -> None:
    header, data = play.held[0]
    assert play.land(*play.held[1])

    assert not play.land(altered(header, **changed), data)

    for chunk in (play.held[0], play.held[2]):
        play.land(*chunk)
    assert await play.world.end() == N
    await play.world.close()


async def test_a_chunk_without_bytes_is_left_to_the_switch(play: Play) -> None:
    assert play.landing.find(play.held[0][0], 0) is None
    play.world.start(play.world.quiet, "script/1")
    for chunk in play.held:
        play.land(*chunk)
    assert await play.world.end() == N
    await play.world.close()


async def test_a_part_that_is_not_as_large_as_its_message_says_is_refused_as_ever(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    header, _ = play.held[0]

    assert play.land(altered(header, total=8, offset=0), bytes(8))

    assert play.node.switch.refused == {"chunk": 1}
    assert "right: a chunk was refused: part 0 has 8 bytes, but the message says" in caplog.text
    arguments = [argument for record in caplog.records for argument in record.args or ()]
    assert not any(isinstance(argument, Exception) for argument in arguments), "it keeps frames"
    await play.world.close()


async def test_a_link_that_was_parted_meanwhile_counts_nothing(play: Play) -> None:
    header, data = play.held[0]
    berth = play.landing.find(header, len(data))
    assert berth is not None

    play.node.switch.part(Pair(*_ends(header)).source)
    play.landing.take(header, memoryview(data), berth)

    assert play.node.switch.refused == {}
    await play.world.close()


def _ends(header: bytes) -> tuple[str, str, int, int]:
    _, _, source, target, from_, to, *_ = msgpack.unpackb(header)
    return source, target, from_, to
