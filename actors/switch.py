"""Where the links of one process meet its transport."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from functools import partial

from tether.actors import frames
from tether.actors.departures import Departures, Outgoing
from tether.actors.directory import Directory
from tether.actors.early import Early
from tether.actors.frames import Lease, Origin
from tether.actors.journal import Journal, Key, Memory
from tether.actors.ledger import Ledger
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import Message
from tether.actors.packet import Packet, Pair, Window
from tether.actors.transport import Inbox, Transport
from tether.actors.watch import Watch
from tether.actors.words import Cancel, Word

ACK_DELAY = 0.005
"""Seconds an acknowledgement may wait for company when nobody waits for it."""

log = logging.getLogger("tether")


class Stale(ValueError):
    """What has come is of an incarnation, or for one, that is not there."""


class Switch:
    """All links of one process. What is queued in a turn of the loop leaves in few frames."""

    def __init__(
        self,
        origin: Origin,
        directory: Directory,
        inbox: Inbox,
        pool: Pool,
        transport: Transport | None = None,
        window: Window | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.origin = origin
        self.directory = directory
        self.inbox = inbox
        self.transport = transport
        self.window = window or Window()
        self.pool = pool
        self.journal = journal or Memory()
        self.links: dict[tuple[str, str], Link] = {}
        self.books: dict[tuple[str, str], Ledger] = {}
        self.refused: Counter[str] = Counter()
        self._early = Early(self.window)
        self._early_chunks = Early(self.window)
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[Link, None] = {}
        self._lazy: list[Link] = []
        self._words: list[Word] = []
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._resend_after = transport.resend_after if transport else None
        self._watch = Watch(self._resend_after, self._again)
        self._departures = Departures(transport, pool, origin, self._standing, self._again)

    def link(self, local: str, remote: str) -> Link:
        """Return the link between an actor of this process and any other, made when first used."""
        link = self.links.get((local, remote))
        return self._made(local, remote) if link is None else link

    def _made(self, local: str, remote: str) -> Link:
        local, remote = ends = sys.intern(local), sys.intern(remote)  # they came in a frame, maybe
        place = self.directory.place
        here, there = place(local).incarnation, place(remote).incarnation
        if self.transport is None and place(remote).process != self.origin.process:
            raise RuntimeError(
                f"{remote} lives in {place(remote).process}, but {self.origin.process} has no "
                "transport"
            )
        link = self.links[ends] = Link(
            self.pool.take,
            self.window,
            self._resend_after,
            pair=Pair(local, remote, here, there),
            books=self.books.setdefault(ends, Ledger()),
            row=self.journal.row(Key(local, here, remote, there)),
        )
        return link

    def hosts(self, actor: str) -> bool:
        """Whether an actor lives in this process."""
        return self.directory.place(actor).process == self.origin.process

    def send(self, link: Link, message: Message) -> None:
        """Queue a call; it leaves when the turn ends, or before, with a batch of small ones."""
        self._queue(link, message)
        if link.out.has_batch:
            self._hurry(link)

    def _queue(self, link: Link, message: Message) -> None:
        link.out.add(message)
        self._dirty[link] = None
        if not self._scheduled:
            self._schedule()

    def offer(self, link: Link, message: Message) -> bool:
        """Queue a call if there is room for it now; tell whether there was."""
        taken = link.out.offer(message)
        if taken:
            self._dirty[link] = None
            if not self._scheduled:
                self._schedule()
        return taken

    def answer(self, link: Link, message: Message) -> None:
        """Queue an answer; one to a dead incarnation goes no further."""
        if link.parted:
            self.inbox.orphaned(link.turned, message)
        else:
            self._queue(link, message)

    def cancel(self, link: Link, number: int, why: str = "cancelled") -> bool:
        """Take a call back; tell whether it had not left, else the receiver is told."""
        if link.parted:
            return False
        if link.out.withdraw(number):
            self._mark(link)
            return True
        (self.inbox.word if self.hosts(link.remote) else self.say)(Cancel(*link.pair, number, why))
        return False

    def say(self, word: Word) -> None:
        """Say a word to the process of its target, at the end of this turn."""
        self._words.append(word)
        self._schedule()

    def acknowledge(self, link: Link) -> None:
        """Tell the other side, in due time, what was received and settled of it."""
        inward = link.inward
        if inward.ack_is_due:
            self._mark(link)
        elif not inward.noted:
            inward.noted = True
            self._lazy.append(link)
            if self._timer is None:
                self._timer = self._loop.call_later(ACK_DELAY, self._late_acks)

    def _late_acks(self) -> None:
        """Have what was noted said in this turn."""
        self._timer = None
        for link in self._lazy:
            link.inward.noted = False
            self._mark(link)
        self._lazy.clear()

    def _mark(self, link: Link) -> None:
        self._dirty[link] = None
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Carry what the links have to say: at once inside the process, else a frame a process."""
        self._scheduled = False
        dirty, self._dirty = self._dirty, {}
        spoken, self._words = self._words, []
        now = self._loop.time()
        out, self._departures.due = self._departures.due, {}
        for link in dirty:
            if link.parted:
                continue
            if self.directory.absent(link.remote):
                link.out.enter()
            else:
                self._gather(link, out, now)
        for word in spoken:
            process = self.directory.place(word.target).process
            if process == self.origin.process:
                self.inbox.word(word)
            elif not self.directory.absent(word.target):
                out.setdefault(process, ([], []))[1].append(word)
        self._departures.carry(out, now)

    def _hurry(self, link: Link) -> None:
        if self.hosts(link.remote) or link.parted or self.directory.absent(link.remote):
            return
        self._dirty.pop(link, None)  # or an acknowledgement alone may follow
        now, out = self._loop.time(), dict[str, Outgoing]()
        self._gather(link, out, now)
        self._departures.carry(out, now)

    def _standing(self, pair: Pair) -> Link | None:
        """Return the link of a pair that speaks from here; None if one of them has died."""
        link = self.links.get((pair.source, pair.target))
        return link if link is not None and link.pair == pair else None

    def _gather(self, link: Link, out: dict[str, Outgoing], now: float) -> None:
        """Take all that a link has to say: at once inside the process, else to what goes out."""
        process = self.directory.place(link.remote).process
        more = True
        while more and (packet := link.pull(now)) is not None:
            more = link.out.can_go
            if process == self.origin.process:
                self._arrive(self.link(link.remote, link.local), packet, now)
                continue
            out.setdefault(process, ([], []))[0].append((link.pair, packet))
            if self._resend_after is not None and (packet.messages or not packet.first):
                self._watch.over(link)

    def _arrive(self, link: Link, packet: Packet, now: float) -> None:
        due = link.push(packet, now)
        if packet.messages or not packet.first:
            self.acknowledge(link)
        if link.out.can_go:
            self._mark(link)
        if due:
            self.inbox.deliver(link, due)

    def frame(self, data: bytes, lease: Lease | None = None) -> None:
        """Take a frame in.

        One that is malformed, of another run or to a stale incarnation is counted and dropped.
        """
        try:
            frame = frames.unpack_frame(data, self._loop.time(), lease)
            if frame.origin.run != self.origin.run:
                raise ValueError(f"a frame of run {frame.origin.run} came, which is not this one")
        except ValueError as error:
            self._refuse("frame", error)
            return
        for pair, packet in frame.packets:
            self._take_packet(pair, packet)
        for word in frame.words:
            self.inbox.word(word)

    def _take_packet(self, pair: Pair, packet: Packet) -> None:
        try:
            link = self.links.get((pair.target, pair.source))
            if link is None or link.turned != pair or self.directory.absent(link.remote):
                link = self._link_of(pair)
            if link is None:
                size = sum(len(message.body.data) for message in packet.messages)
                again = partial(self._take_packet, pair, packet)
                self._early.keep(pair, packet.first, size, again)
                return
            self._arrive(link, packet, self._loop.time())
        except (ValueError, LookupError) as error:
            self._refuse("packet", error)
            for message in packet.messages if isinstance(error, Stale) else ():
                if not message.is_call:
                    self.inbox.orphaned(pair.turned, message)

    def chunk(self, header: bytes, data: memoryview) -> None:
        """Take a chunk in: straight to its place in prepared memory."""
        try:
            head = frames.unpack_chunk(header)
            if head.run != self.origin.run:
                raise ValueError(f"a chunk of run {head.run} came, which is not this one")
            link = self._link_of(head.pair)
            if link is None:
                again, where = partial(self.chunk, header, memoryview(bytes(data))), head.offset
                self._early_chunks.keep(head.pair, head.number, len(data), again, head.part, where)
                return
            place = link.inward.place(head.number, head.part, head.offset, len(data), head.total)
            if place is None:
                return
            place[:] = data
            due = link.inward.due()
            if due:
                self.acknowledge(link)
                self.inbox.deliver(link, due)
        except (ValueError, LookupError, MemoryError) as error:
            self._refuse("chunk", error)

    def _link_of(self, pair: Pair) -> Link | None:
        """Return the link of those who speak; None while nobody has told of the one who does.

        Raises ValueError when one of them is dead, or the other does not live here.
        """
        link = self.links.get((pair.target, pair.source))
        absent = self.directory.absent(pair.source)
        if link is not None and link.turned == pair and not absent:
            return link
        if not self.hosts(pair.target):
            raise ValueError(f"a frame for {pair.target} came, which does not live here")
        known = self.directory.place(pair.source).incarnation
        if pair.source_incarnation > known or (absent and pair.source_incarnation == known):
            return None
        for name, incarnation in (pair[::2], pair[1::2]):
            known = self.directory.place(name).incarnation
            if incarnation != known:
                raise Stale(f"{name} is spoken of in incarnation {incarnation}, but it is {known}")
        return self.link(pair.target, pair.source)

    def part(self, actor: str) -> list[Link]:
        """Take out all links with an actor that has died; return them."""
        parted = [link for link in self.links.values() if actor in {link.local, link.remote}]
        for link in parted:
            del self.links[link.local, link.remote]
            link.parted = True
            self._watch.forget(link)
        return parted

    def join(self, actor: str) -> None:
        """Begin to speak to a new incarnation, and take in what it has said already."""
        for link in self.links.values():
            if link.remote == actor:
                self._mark(link)
        incarnation = self.directory.place(actor).incarnation
        self._early.release(actor, incarnation)
        self._early_chunks.release(actor, incarnation)

    def _refuse(self, what: str, error: Exception) -> None:
        """Count what is wrong, and log it as text: a record of the error would keep its frames."""
        self.refused[what] += 1
        log.warning("%s: a %s was refused: %s", self.origin.process, what, str(error))

    def connected(self, process: str) -> None:
        """Send again what may have been lost with an old connection to a process."""
        for link in self.links.values():
            if self.directory.place(link.remote).process == process:
                link.lost()
                self._again(link)

    def _again(self, link: Link) -> None:
        self.inbox.lost(link)
        self._mark(link)

    def close(self) -> None:
        """Say what is left to say, and end all timers."""
        if self._timer is not None:
            self._timer.cancel()
        self._late_acks()
        self._flush()
        self._watch.close()

    @property
    def quiet(self) -> bool:
        """Whether all that was sent is settled and acknowledged."""
        return all(link.out.quiet for link in self.links.values())
