"""Packets between agents, and the line to one start of another agent."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from tests.runners.agents import Wire, until
from tether.actors.clock import SystemClock
from tether.actors.zeromq import ZeroMQ
from tether.runners.addresses import Ports
from tether.runners.exchange import MAGIC, Exchange, Packet, Trunk, unpacked


def exchange(wire: Wire, host: str, heard: list[Packet]) -> Exchange:
    return Exchange(host, SystemClock(), wire.at(host), heard.append, lambda _: None)


async def test_a_packet_says_from_which_start_of_which_agent_it_is() -> None:
    wire, heard = Wire(), list[Packet]()
    home, other = exchange(wire, "a", heard), exchange(wire, "b", [])
    await home.start()

    other.send("a", "", "hello", {"x": "1"})
    await until(lambda: heard)

    assert heard == [Packet("b", other.session, "", "hello", {"x": "1"})]
    assert len(other.session) == 16
    await home.close(0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xc1", "it is no message of ours: "),
        (msgpack.packb("text"), "it is no message of ours: "),
        (msgpack.packb([1, 2]), "it is no message of ours: "),
        (
            msgpack.packb(["other", "b", "s", "t", "hello", {}]),
            "it does not begin with 'tether.agent.1', as those of this version do",
        ),
        (
            msgpack.packb([MAGIC, "b", 7, "t", "hello", {}]),
            "it says 'hello', with what does not belong to that",
        ),
        (
            msgpack.packb([MAGIC, "b", "s", "t", "shout", {}]),
            "it says 'shout', with what does not belong to that",
        ),
        (
            msgpack.packb([MAGIC, "b", "s", "t", "line", [1, 2]]),
            "it is of a line, but has not its shape",
        ),
    ],
)
async def test_what_is_no_packet_costs_a_line_in_the_log(
    data: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Packet] = []
    home = exchange(Wire(), "a", heard)

    home.frame(data)

    assert (home.foreign, heard) == (1, [])
    assert f"the agent of a: a packet was refused: {why}" in caplog.text
    arguments = [argument for record in caplog.records for argument in record.args or ()]
    assert not any(isinstance(argument, Exception) for argument in arguments), "it keeps frames"
    with pytest.raises(ValueError, match=why.partition("'")[0]):
        unpacked(data)


def test_agents_take_no_chunks(caplog: pytest.LogCaptureFixture) -> None:
    home = exchange(Wire(), "a", [])

    home.chunk(b"head", memoryview(b"body"))

    assert home.foreign == 1
    assert "the agent of a: a chunk of 8 bytes was refused" in caplog.text


async def test_a_trunk_says_all_again_when_its_connection_was_renewed() -> None:
    wire, heard = Wire(), list[Packet]()
    home = exchange(wire, "a", heard)
    await home.start()
    trunk = Trunk(exchange(wire, "b", []), "a", "s")
    wire.cut = True
    trunk.put("said", 1)
    wire.cut = False

    trunk.again()
    trunk.beat("beats", 2)
    await until(lambda: len(heard) == 2)

    other: Any = Trunk(home, "b", "t")
    assert [other.take(packet) for packet in heard] == [[["said", 1]], [["beats", 2]]]
    await home.close(0)


async def test_an_agent_that_cannot_listen_says_why() -> None:
    ports = Ports(["a"])
    first = Exchange(
        "a",
        SystemClock(),
        ZeroMQ("a", 1, ports.pairs, encryption="off"),
        lambda _: None,
        lambda _: None,
    )
    second = Exchange(
        "a",
        SystemClock(),
        ZeroMQ("a", 1, ports.pairs, encryption="off"),
        lambda _: None,
        lambda _: None,
    )
    await first.start()

    with pytest.raises(OSError, match=r"the agent of host a cannot listen where .* says: Address"):
        await second.start()

    await first.close(0)
    ports.release()
