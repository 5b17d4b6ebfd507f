"""What goes to one process in one turn of the loop: how it becomes frames, loans and chunks."""

from __future__ import annotations

from tether.actors import frames, tensors
from tether.actors.accelerator import Fence
from tether.actors.frames import Frame, Origin
from tether.actors.loans import Loans
from tether.actors.memory import Pool
from tether.actors.message import Body, Part
from tether.actors.packet import Packet, Pair
from tether.actors.segments import Piece
from tether.actors.transport import Transport
from tether.actors.words import Word


class Lender:
    """Lends parts that lie in shared memory, so that their bytes need not travel."""

    def __init__(self, transport: Transport, pool: Pool, process: str) -> None:
        self._transport = transport
        self._pool = pool
        self.process = process
        self.lent: set[int] = set()
        """The parts that were lent, by `id`."""

    def __call__(self, part: Part) -> tuple[int, int, int, int] | None:
        """Return where a part lies for its reader; None where it has to be copied."""
        for value in (part.memory if part.value is None else part.value, part.host):
            if value is None:
                continue
            address, start = tensors.place(value)
            piece = self._pool.shared(address)
            loans = None if piece is None else self._loans(piece)
            if piece is not None and loans is not None:
                self.lent.add(id(part))
                return *loans.lend(piece), start, part.nbytes
        return None

    def _loans(self, piece: Piece) -> Loans | None:
        """Return what counts the loans of a slot to the process; None if it cannot read it."""
        loans = self._transport.loans(self.process)
        return None if loans is None or (piece.gpu and not loans.gpus) else loans

    def fences(self, body: Body) -> list[Fence]:
        """Return what has to be passed before a body leaves, copied to the host where it must."""
        found = list(body.fences)
        for part in body.parts:
            if tensors.stays(part):
                piece = self._pool.shared(tensors.place(part.value)[0])
                if piece is None or self._loans(piece) is None:
                    found.append(tensors.stage(part, body.fences[-1], self._pool.take))
        return found


def carry(
    transport: Transport,
    lender: Lender,
    origin: Origin,
    outgoing: tuple[list[tuple[Pair, Packet]], list[Word]],
    now: float,
) -> None:
    """Send packets and words to a process: large parts lent where that can be, else in chunks."""
    packets, words = outgoing
    process = lender.process
    batches = frames.batches(packets) or [[]]
    for batch in batches:
        frame = Frame(origin, batch, words if batch is batches[-1] else [])
        transport.send(process, frames.pack_frame(frame, now, lender))
        for pair, packet in batch:
            for header, data in frames.chunks(origin.run, pair, packet, lender.lent):
                transport.send_chunk(process, header, data)
