"""What goes to one process in one turn of the loop: how it becomes frames, loans and chunks."""

from __future__ import annotations

from tether.actors import frames, tensors
from tether.actors.frames import Frame, Origin
from tether.actors.loans import Loans
from tether.actors.memory import Pool
from tether.actors.message import Part
from tether.actors.packet import Packet, Pair
from tether.actors.transport import Transport
from tether.actors.words import Word


class Lender:
    """Lends parts that lie in shared memory, so that their bytes need not travel."""

    def __init__(self, transport: Transport, pool: Pool, process: str) -> None:
        self._transport = transport
        self._pool = pool
        self._process = process
        self.lent: set[int] = set()
        """The parts that were lent, by `id`."""

    def __call__(self, part: Part) -> tuple[int, int, int, int] | None:
        """Return where a part lies for its reader; None where it has to be copied."""
        address, start = tensors.place(part)
        piece = self._pool.shared(address)
        loans: Loans | None = None if piece is None else self._transport.loans(self._process)
        if piece is None or loans is None:
            return None
        self.lent.add(id(part))
        return *loans.lend(piece), start, part.nbytes


def carry(
    transport: Transport,
    pool: Pool,
    origin: Origin,
    process: str,
    outgoing: tuple[list[tuple[Pair, Packet]], list[Word]],
    now: float,
) -> None:
    """Send packets and words to a process: large parts lent where that can be, else in chunks."""
    packets, words = outgoing
    if len(packets) == 1 and packets[0][1].small:
        transport.send(process, frames.pack_frame(Frame(origin, packets, words), now))
        return
    lender = Lender(transport, pool, process)
    batches = frames.batches(packets) or [[]]
    for batch in batches:
        frame = Frame(origin, batch, words if batch is batches[-1] else [])
        transport.send(process, frames.pack_frame(frame, now, lender))
        for pair, packet in batch:
            for header, data in frames.chunks(origin.run, pair, packet, lender.lent):
                transport.send_chunk(process, header, data)
