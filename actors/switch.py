"""Where the links of one process meet its transport."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from typing import Protocol

from tether.actors import frames
from tether.actors.directory import Directory
from tether.actors.frames import Cancel, Frame, Origin, Pair
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import Message
from tether.actors.packet import Packet, Window
from tether.actors.transport import Transport

ACK_DELAY = 0.005
"""Seconds an acknowledgement may wait for company when nobody waits for it."""
FRAME_BYTES = 2 << 20
"""Bytes of structure after which a frame is closed; the wire's limit is 8 MiB."""

log = logging.getLogger("tether")


class Inbox(Protocol):
    """Who takes what the links deliver."""

    def deliver(self, source: str, target: str, message: Message) -> None:
        """Take a message for an actor of this process."""
        ...

    def withdraw(self, source: str, target: str, number: int) -> None:
        """Take the word that nobody waits for a call any more."""
        ...


class Switch:
    """All links of one process. What is queued in one turn of the loop leaves in one frame."""

    def __init__(
        self,
        origin: Origin,
        directory: Directory,
        inbox: Inbox,
        pool: Pool,
        transport: Transport | None = None,
        window: Window | None = None,
    ) -> None:
        self.origin = origin
        self.directory = directory
        self.inbox = inbox
        self.transport = transport
        self.window = window or Window()
        self.pool = pool
        self.links: dict[tuple[str, str], Link] = {}
        self.refused: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._dirty: dict[tuple[str, str], Link] = {}
        self._lazy: dict[tuple[str, str], Link] = {}
        self._cancels: list[Cancel] = []
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    def link(self, local: str, remote: str) -> Link:
        """Return the link between an actor of this process and any other, made when first used."""
        key = (local, remote)
        link = self.links.get(key)
        if link is None:
            self._check_way(remote)
            resend_after = self.transport.resend_after if self.transport else None
            link = self.links[key] = Link(self.pool.take, self.window, resend_after)
        return link

    def _check_way(self, remote: str) -> None:
        process = self.directory.place(remote).process
        if self.transport is None and process != self.origin.process:
            raise RuntimeError(
                f"{remote} lives in {process}, but {self.origin.process} has no transport"
            )

    def send(self, source: str, target: str, message: Message) -> Link:
        """Queue a message; it leaves at the end of this turn if the window has room."""
        link = self.link(source, target)
        link.out.add(message)
        self._mark(source, target, link)
        return link

    def cancel(self, source: str, target: str, number: int) -> bool:
        """Take a call back; tell whether it had not left, else the receiver is told."""
        link = self.link(source, target)
        if link.out.withdraw(number):
            self._mark(source, target, link)
            return True
        self._cancels.append(Cancel(source, target, number))
        self._schedule()
        return False

    def settle(self, local: str, remote: str, message: Message, dropped: str | None) -> None:
        """Book a call that came as handled or dropped, and acknowledge it in due time."""
        link = self.link(local, remote)
        link.inward.settle(message, dropped)
        self._acknowledge(local, remote, link)

    def _acknowledge(self, local: str, remote: str, link: Link) -> None:
        if link.ack_is_due:
            self._mark(local, remote, link)
            return
        self._lazy[local, remote] = link
        if self._timer is None:
            self._timer = self._loop.call_later(ACK_DELAY, self._late_acks)

    def _late_acks(self) -> None:
        self._timer = None
        self._dirty.update(self._lazy)
        self._lazy.clear()
        self._schedule()

    def _mark(self, local: str, remote: str, link: Link) -> None:
        self._dirty[local, remote] = link
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Carry what the links have to say: at once inside the process, else a frame a process."""
        self._scheduled = False
        dirty, self._dirty = self._dirty, {}
        cancels, self._cancels = self._cancels, []
        now = self._loop.time()
        out: defaultdict[str, list[tuple[Pair, Packet]]] = defaultdict(list)
        words: defaultdict[str, list[Cancel]] = defaultdict(list)
        for (local, remote), link in dirty.items():
            process = self.directory.place(remote).process
            while (packet := link.pull(now)) is not None:
                if process == self.origin.process:
                    self._arrive(remote, local, packet, now)
                else:
                    out[process].append((self._pair(local, remote), packet))
        for cancel in cancels:
            process = self.directory.place(cancel.target).process
            if process == self.origin.process:
                self.inbox.withdraw(*cancel)
            else:
                words[process].append(cancel)
        for process in out.keys() | words.keys():
            self._carry(process, out[process], words[process], now)

    def _pair(self, local: str, remote: str) -> Pair:
        place = self.directory.place
        return Pair(local, remote, place(local).incarnation, place(remote).incarnation)

    def _carry(
        self,
        process: str,
        packets: list[tuple[Pair, Packet]],
        cancels: list[Cancel],
        now: float,
    ) -> None:
        assert self.transport is not None  # there is no link to another process without one
        self._watch_over()
        batches = _batches(packets) or [[]]
        for batch in batches:
            frame = Frame(self.origin, batch, cancels if batch is batches[-1] else [])
            self.transport.send(process, frames.pack_frame(frame, now))
            for pair, packet in batch:
                for header, data in frames.chunks(self.origin.run, pair, packet):
                    self.transport.send_chunk(process, header, data)

    def _arrive(self, local: str, remote: str, packet: Packet, now: float) -> None:
        link = self.link(local, remote)
        due = link.push(packet, now)
        if packet.messages or not packet.first:
            self._acknowledge(local, remote, link)
        self._mark_if_open(local, remote, link)
        for message in due:
            self.inbox.deliver(remote, local, message)

    def _mark_if_open(self, local: str, remote: str, link: Link) -> None:
        if link.out.can_go:
            self._mark(local, remote, link)

    def frame(self, data: bytes) -> None:
        """Take a frame in.

        One that is malformed, of another run or to a stale incarnation is counted and dropped.
        """
        now = self._loop.time()
        try:
            frame = frames.unpack_frame(data, now)
            if frame.origin.run != self.origin.run:
                raise ValueError(f"a frame of run {frame.origin.run} came, which is not this one")
        except ValueError as error:
            self._refuse("frame", error)
            return
        for pair, packet in frame.packets:
            try:
                self._check(pair)
                self._arrive(pair.target, pair.source, packet, now)
            except (ValueError, LookupError) as error:
                self._refuse("packet", error)
        for cancel in frame.cancels:
            self._withdraw(cancel)

    def _withdraw(self, cancel: Cancel) -> None:
        link = self.links.get((cancel.target, cancel.source))
        if link is not None:
            link.inward.withdraw(cancel.number)
            self.inbox.withdraw(*cancel)

    def chunk(self, header: bytes, data: memoryview) -> None:
        """Take a chunk in: straight to its place in prepared memory."""
        try:
            head = frames.unpack_chunk(header)
            if head.run != self.origin.run:
                raise ValueError(f"a chunk of run {head.run} came, which is not this one")
            self._check(head.pair)
            link = self.link(head.pair.target, head.pair.source)
            place = link.inward.place(head.number, head.part, head.offset, len(data), head.total)
            if place is None:
                return
            place[:] = data
            for message in link.inward.due():
                self._acknowledge(head.pair.target, head.pair.source, link)
                self.inbox.deliver(head.pair.source, head.pair.target, message)
        except (ValueError, LookupError, MemoryError) as error:
            self._refuse("chunk", error)

    def _check(self, pair: Pair) -> None:
        for name, incarnation in (
            (pair.source, pair.source_incarnation),
            (pair.target, pair.target_incarnation),
        ):
            known = self.directory.place(name).incarnation
            if incarnation != known:
                raise ValueError(
                    f"{name} is spoken of in incarnation {incarnation}, but it is {known}"
                )
        if self.directory.place(pair.target).process != self.origin.process:
            raise ValueError(f"a frame for {pair.target} came, which does not live here")

    def _refuse(self, what: str, error: Exception) -> None:
        self.refused[what] += 1
        log.warning("%s: a %s was refused: %s", self.origin.process, what, error)

    def connected(self, process: str) -> None:
        """Send again what may have been lost with an old connection to a process."""
        for (local, remote), link in self.links.items():
            if self.directory.place(remote).process == process:
                link.lost()
                self._mark(local, remote, link)

    def _watch_over(self) -> None:
        """See to it that what a transport lost is sent again, if it does not tell by itself."""
        after = self.transport.resend_after if self.transport else None
        if after is not None and self._watch is None:
            self._watch = self._loop.call_later(after, self._send_again)

    def _send_again(self) -> None:
        self._watch = None
        now = self._loop.time()
        for (local, remote), link in self.links.items():
            if link.resend_if_overdue(now):
                self._mark(local, remote, link)
        if any(link.out.open for link in self.links.values()):
            self._watch_over()

    def close(self) -> None:
        """Say what is left to say, and end all timers."""
        self._dirty.update(self._lazy)
        self._flush()
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()

    def gone(self, actor: str) -> None:
        """Close the books with an actor that is dead."""
        for (_, remote), link in self.links.items():
            if remote == actor:
                link.out.close()

    @property
    def quiet(self) -> bool:
        """Whether all that was sent is settled and acknowledged."""
        return all(link.out.quiet for link in self.links.values())


def _batches(
    packets: list[tuple[Pair, Packet]],
) -> list[list[tuple[Pair, Packet]]]:
    """Split packets into frames of bounded size."""
    batches: list[list[tuple[Pair, Packet]]] = []
    size = FRAME_BYTES
    for item in packets:
        if size >= FRAME_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += sum(len(message.body.data) for message in item[1].messages)
    return batches
