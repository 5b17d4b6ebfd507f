"""What leaves a process in one turn of the loop, or as soon as its GPU has written it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from tether.actors.accelerator import Fence
from tether.actors.carriage import Lender, carry
from tether.actors.frames import Origin, pack_small
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.packet import Packet, Pair
from tether.actors.transport import Transport
from tether.actors.words import Word

Outgoing = tuple[list[tuple[Pair, Packet]], list[Word]]
"""What goes to one process: packets with the pairs they are of, and words."""

log = logging.getLogger("tether")


class Departures:
    """Carries packets and words to other processes.

    A packet that waits for a GPU holds up nothing else: who receives it puts it in its place. Then
    it goes with the next turn, and with it what was said of its link meanwhile, by `again`: that a
    call was taken back means nothing to who had not got it.
    """

    def __init__(
        self,
        transport: Transport | None,
        pool: Pool,
        origin: Origin,
        link: Callable[[Pair], Link | None],
        again: Callable[[Link], None],
    ) -> None:
        self._transport = transport
        self._pool = pool
        self._origin = origin
        self._link = link
        self._again = again
        self.due: dict[str, Outgoing] = {}
        """What has waited, and goes with the next turn."""
        self._loop = asyncio.get_running_loop()

    def carry(self, out: dict[str, Outgoing], now: float) -> None:
        """Carry what goes to each process, or hold back what is not ready to go."""
        for process, (packets, words) in out.items():
            assert self._transport is not None  # or there would be no link to another process
            if len(packets) == 1 and not words:
                pair, packet = packets[0]
                if packet.small:  # no GPU, no loan
                    self._transport.send(process, pack_small(self._origin, pair, packet))
                    continue
            lender = Lender(self._transport, self._pool, process)
            packets = self._ready(lender, packets)
            if packets or words:
                carry(self._transport, lender, self._origin, (packets, words), now)

    def _ready(
        self, lender: Lender, packets: list[tuple[Pair, Packet]]
    ) -> list[tuple[Pair, Packet]]:
        """Return the packets that can go now; the others go once their GPU is ready."""
        ready: list[tuple[Pair, Packet]] = []
        for item in packets:
            fences = [
                fence
                for message in item[1].messages
                if message.body.fences
                for fence in lender.fences(message.body)
                if not fence.passed
            ]
            if fences:
                self._wait(lender.process, item, fences)
            else:
                ready.append(item)
        return ready

    def _wait(self, process: str, item: tuple[Pair, Packet], fences: list[Fence]) -> None:
        """Have a thread wait for a GPU: a loop that does has no time for anything else."""
        waiting = self._loop.run_in_executor(None, _wait_all, fences)
        waiting.add_done_callback(partial(self._passed, process, item))

    def _passed(
        self, process: str, item: tuple[Pair, Packet], waited: asyncio.Future[None]
    ) -> None:
        """Have what waited carried, if both ends of its link are still there."""
        pair, _ = item
        link = self._link(pair)
        if waited.cancelled() or link is None:
            return
        error = waited.exception()
        if error is not None:
            log.error(
                "%s: what goes to %s was not computed, as the GPU has failed: %s",
                pair.source,
                pair.target,
                str(error),
            )
            return
        self.due.setdefault(process, ([], []))[0].append(item)
        self._again(link)


def _wait_all(fences: list[Fence]) -> None:
    for fence in fences:
        fence.wait()
