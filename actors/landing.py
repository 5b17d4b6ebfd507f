"""Where a chunk belongs, found before its bytes are there: so they need not be copied again."""

from __future__ import annotations

import logging
from typing import NamedTuple

from tether.actors import frames
from tether.actors.frames import Chunk
from tether.actors.link import Link
from tether.actors.switch import Switch
from tether.actors.transport import Receiver

log = logging.getLogger("tether")


class Berth(NamedTuple):
    """The place of a chunk in the memory of its message; nothing is counted until it is full."""

    link: Link
    chunk: Chunk
    room: memoryview


class Landing:
    """Takes chunks in for whoever receives them; for a switch, straight into its links' memory."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._switch = receiver if isinstance(receiver, Switch) else None

    def find(self, header: bytes, nbytes: int) -> Berth | None:
        """Return where a chunk belongs.

        None of one that was here before, that came too early, or that nobody wants: `take` is to
        be given its bytes, and decides.
        """
        switch = self._switch
        if switch is None or not nbytes:
            return None
        try:
            chunk = frames.unpack_chunk(header)
            link = _link_of(switch, chunk)
            if link is None:
                return None
            # With no bytes it asks, and counts nothing.
            room = link.inward.place(chunk.number, chunk.part, chunk.offset, 0, chunk.total)
        except (ValueError, LookupError, MemoryError):
            return None
        if room is None or len(room) < nbytes:
            return None
        return Berth(link, chunk, room[:nbytes])

    def take(self, header: bytes, data: memoryview, berth: Berth | None) -> None:
        """Take a chunk in that is whole: one with a berth lies in it, others are copied."""
        if berth is None:
            self._receiver.chunk(header, data)
        elif self._switch is not None and _link_of(self._switch, berth.chunk) is berth.link:
            _land(self._switch, *berth)


def _link_of(switch: Switch, chunk: Chunk) -> Link | None:
    """Return the link of a chunk, if there is one and both its ends are there."""
    pair = chunk.pair
    link = switch.links.get((pair.target, pair.source))
    if link is None or chunk.run != switch.origin.run:
        return None
    return link if link.turned == pair and not switch.directory.absent(pair.source) else None


def _land(switch: Switch, link: Link, chunk: Chunk, room: memoryview) -> None:
    """Count a chunk that lies where it belongs, and deliver what it makes complete."""
    number, part, offset, total = chunk.number, chunk.part, chunk.offset, chunk.total
    try:
        if link.inward.place(number, part, offset, len(room), total) is None:
            return
        due = link.inward.due()
        if due:
            switch.acknowledge(link)
            switch.inbox.deliver(link, due)
    except (ValueError, LookupError) as error:
        switch.refused["chunk"] += 1
        log.warning("%s: a chunk was refused: %s", switch.origin.process, str(error))
