"""What agents say to each other: whole packets, msgpack, no pickle, over the network of agents."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgpack
import zmq

from tether.actors.clock import Clock
from tether.actors.extent import check_extent
from tether.actors.frames import Lease
from tether.actors.transport import Transport
from tether.runners.line import Line, is_body

MAGIC = "tether.agent.1"
WORDS: dict[object, object] = {"hello": dict, "refused": list, "stranger": list, "line": list}
"""What a packet may be, and what it holds then."""

log = logging.getLogger("tether")


class Packet(NamedTuple):
    """What one agent says to another: from which start of which host's, and to which one."""

    host: str
    session: str
    to: str
    word: str
    body: Any


class Exchange:
    """An agent's place in the network of agents: it takes packets in and gives them out."""

    def __init__(
        self,
        host: str,
        clock: Clock,
        transport: Transport,
        hear: Callable[[Packet], None],
        renewed: Callable[[str], None],
    ) -> None:
        self.host = host
        self.clock = clock
        self.session = clock.token()
        self.transport = transport
        self.connected = renewed
        self.foreign = 0
        self._hear = hear

    async def start(self) -> None:
        """Listen; OSError says why that is not possible here."""
        try:
            await self.transport.start(self)
        except zmq.ZMQError as error:
            await self.transport.close(0)
            raise OSError(
                f"the agent of host {self.host} cannot listen where [hosts] says: {error}; is this "
                f"machine {self.host}, and is no other agent of it running?"
            ) from None

    def frame(self, data: bytes, lease: Lease | None = None) -> None:  # noqa: ARG002
        """Take a packet in; one that is none costs a line in the log."""
        try:
            packet = unpacked(data)
        except ValueError as error:
            self.foreign += 1
            log.warning("the agent of %s: a packet was refused: %s", self.host, str(error))
            return
        self._hear(packet)

    def chunk(self, header: bytes, data: memoryview) -> None:
        """Refuse what only processes send."""
        self.foreign += 1
        size = len(header) + len(data)
        log.warning("the agent of %s: a chunk of %d bytes was refused", self.host, size)

    def send(self, host: str, to: str, word: str, body: Any) -> None:
        """Send a packet to one start of a host's agent, or to whichever listens there."""
        self.transport.send(host, msgpack.packb([MAGIC, self.host, self.session, to, word, body]))

    async def close(self, linger: float) -> None:
        """Let what was said leave, then end."""
        await self.transport.close(linger)


class Trunk:
    """The line to one start of another host's agent."""

    def __init__(self, exchange: Exchange, host: str, session: str) -> None:
        self.host = host
        self.session = session
        self._exchange = exchange
        self.line = Line(exchange.clock.now())

    def put(self, *message: Any) -> None:
        """Say something, once and in order."""
        self.line.put(message)
        self._flush()

    def beat(self, *message: Any) -> None:
        """Give a sign of life, with what may be lost; say again what was lost."""
        self._send(self.line.beat(self._exchange.clock.now(), message or None))
        self._flush()

    def again(self) -> None:
        """Say all again that was not confirmed."""
        self.line.again()
        self._flush()

    def take(self, packet: Packet) -> list[Any]:
        """Take a packet of the line in; return the messages that have come with it."""
        return self.line.take(packet.body, self._exchange.clock.now())

    def _flush(self) -> None:
        for body in self.line.due(self._exchange.clock.now()):
            self._send(body)

    def _send(self, body: Any) -> None:
        self._exchange.send(self.host, self.session, "line", body)


def unpacked(data: bytes) -> Packet:
    """Return the packet in a frame; ValueError when there is none."""
    try:
        check_extent(data)
        magic, host, session, to, word, body = msgpack.unpackb(data, strict_map_key=False)
    except Exception as error:
        raise ValueError(f"it is no message of ours: {type(error).__name__}") from None
    if magic != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC!r}, as those of this version do")
    packet = Packet(host, session, to, word, body)
    if any(type(text) is not str for text in packet[:4]) or type(body) is not WORDS.get(word):
        raise ValueError(f"it says {word!r}, with what does not belong to that")
    if word == "line" and not is_body(body):
        raise ValueError("it is of a line, but has not its shape")
    return packet
