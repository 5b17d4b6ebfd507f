"""tether without actors: the links, frames and sockets of messages, and nobody to handle them.

What is measured is what a message costs on its way: it is numbered, held back where the window is
full, packed, carried, unpacked, put in order, acknowledged and booked.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.forks import Fork
from benchmarks.workloads import PAYLOAD, amount
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import Body, Kind, Message
from tether.actors.packet import Pair
from tether.actors.plain import plain_call
from tether.actors.switch import Switch
from tether.actors.unix import SCHEME, Unix
from tether.actors.words import Word
from tether.runners.spec import RunSpec
from tether.runners.transport import cores

JOBS = ("W2",)
SENDER, TAKER = "sender/0", "taker/0"
PLACES = {SENDER: Place("sender", object), TAKER: Place("taker", object)}


class End:
    """One process: its switch and its sockets, and what takes in the place of actors."""

    def __init__(self, process: str, folder: Path) -> None:
        addresses = {
            name: (f"{SCHEME}{folder}/{name}", f"{SCHEME}{folder}/{name}-bulk")
            for name in ("sender", "taker")
        }
        self.unix = Unix(process, 1, addresses, RunSpec("wire").spin if cores() > 1 else 0.0)
        origin = Origin("wire", process, 1)
        self.switch = Switch(origin, Directory(PLACES), self, Pool(), self.unix)
        self.taken = 0
        self.arrival = asyncio.Event()

    def deliver(self, link: Link, due: Iterable[Message]) -> None:
        """Book what came as handled."""
        inward = link.inward
        for message in due:
            inward.start(message.number)
            if inward.handled(message.body.size):
                self.switch.acknowledge(link)
            self.taken += 1
        self.arrival.set()

    async def all_taken(self, count: int) -> None:
        """Wait until so many have come."""
        while self.taken < count:
            self.arrival.clear()
            await self.arrival.wait()

    def orphaned(self, pair: Pair, message: Message) -> None:
        """There are no answers."""

    def lost(self, link: Link) -> None:
        """There is nothing to take back."""

    def word(self, word: Word) -> None:
        """There are no words."""


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one-ways from one process to another."""
    count = amount(job, scale)
    with tempfile.TemporaryDirectory(prefix="wire") as made:
        folder = Path(made)
        with Fork(lambda: uvloop.run(_take(folder, count))) as taker:
            start = uvloop.run(_send(folder, count))
            end: float = taker.result()
    return {job: count / (end - start)}


async def _take(folder: Path, count: int) -> float:
    """Take all; return when the last had come."""
    end = End("taker", folder)
    await end.unix.start(end.switch)
    await end.all_taken(count + 1)
    last = time.monotonic()
    end.switch.close()
    await end.unix.close(1)
    return last


async def _send(folder: Path, count: int) -> float:
    """Send so many once they can come; return when the first left."""
    end = End("sender", folder)
    await end.unix.start(end.switch)
    link = end.switch.link(SENDER, TAKER)
    await _met(end, link)
    start = time.monotonic()
    for number in range(2, count + 2):
        body = plain_call((PAYLOAD,), {})
        assert body is not None
        message = Message(Kind.TELL, number, "tick", body)
        if not end.switch.offer(link, message):
            await _let_out(end, link, message)
    end.switch.close()
    await end.unix.close(1)
    return start


async def _met(end: End, link: Link) -> None:
    """Wait until the other side is there: it has taken a first message."""
    first = Message(Kind.TELL, 1, "tick", Body(b""))
    end.switch.send(link, first)
    while not link.out.quiet:  # noqa: ASYNC110 - what is acknowledged sets no Event
        await asyncio.sleep(0.001)


async def _let_out(end: End, link: Link, message: Message) -> None:
    """Wait until there is room for a message."""
    let_out: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    message.admitted = partial(let_out.set_result, None)
    end.switch.send(link, message)
    await let_out
