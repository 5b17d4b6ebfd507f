"""What lies in shared memory is lent to who shares it; all else travels in chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.actors.lent import LARGE, Reader, pool
from tests.actors.pretend import Pretend
from tether.actors import codec
from tether.actors.carriage import Lender, carry
from tether.actors.frames import Frame, Origin, pack_frame, unpack_frame
from tether.actors.loans import GPU_REFUSED, Loans
from tether.actors.memory import Pool
from tether.actors.message import Body, Kind, Message
from tether.actors.packet import Ack, Packet, Pair
from tether.actors.transport import Receiver

ORIGIN = Origin("run", "home", 1)
PAIR = Pair("center/0", "worker/0", 1, 1)


class Wire:
    """A transport to a reader, or to nobody who shares memory."""

    resend_after: float | None = None
    shares = True

    def __init__(self, reader: Reader | None) -> None:
        self.reader = reader
        self.frames: list[bytes] = []
        self.chunks = 0

    async def start(self, receiver: Receiver) -> None: ...
    async def close(self, linger: float) -> None: ...
    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None: ...

    def loans(self, process: str) -> Loans | None:
        return None if self.reader is None else self.reader.lending.loans()

    def send(self, process: str, frame: bytes) -> None:
        self.frames.append(frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        self.chunks += len(data)

    def carry(self, owner: Pool, body: Body) -> Body:
        """Carry a message; return its body as it comes in, without its chunks."""
        packet = Packet(1, (Message(Kind.ASK, 1, "x", body),), Ack())
        carry(self, Lender(self, owner, "far"), ORIGIN, ([(PAIR, packet)], []), 0.0)
        lease = None
        if self.reader is not None:
            self.reader.hear()
            lease = self.reader.leases.lease
        came = unpack_frame(self.frames.pop(), 0.0, lease)
        return came.packets[0][1].messages[0].body


def encoded(owner: Pool, *values: Any) -> Body:
    return codec.encode([list(values), {}], owner.owns, owner.take)


def test_copies_of_tensors_and_arrays_are_lent_not_sent() -> None:
    owner, wire = pool(), Wire(Reader())
    x, y = torch.arange(LARGE), np.arange(LARGE)

    body = wire.carry(owner, encoded(owner, x, y))

    (x_back, y_back), _ = codec.decode(body)
    assert wire.chunks == 0
    assert torch.equal(x, x_back)
    assert np.array_equal(y, y_back)


def test_a_view_in_transport_memory_is_lent_where_it_lies() -> None:
    owner, wire = pool(), Wire(Reader())
    memory = owner.take(8 * LARGE)
    x = torch.from_numpy(memory).view(torch.float64)[100:50_000].fill_(1)

    (back,), _ = codec.decode(wire.carry(owner, encoded(owner, x)))
    x[0] = 7

    assert (len(back), back[0].item(), back[1].item()) == (49_900, 7, 1)


def test_who_shares_nothing_is_sent_chunks() -> None:
    owner, wire = pool(), Wire(None)

    body = wire.carry(owner, encoded(owner, torch.ones(LARGE)))

    assert wire.chunks == 4 * LARGE
    assert [part.memory for part in body.parts] == [None]


def test_what_lies_elsewhere_is_sent_in_chunks_beside_what_is_lent() -> None:
    owner, wire = pool(), Wire(Reader())
    lent, own = encoded(owner, torch.ones(LARGE)).parts + encoded(Pool(), torch.ones(LARGE)).parts

    body = wire.carry(owner, Body(b"x", parts=(lent, own)))

    assert wire.chunks == 4 * LARGE
    assert [part.memory is None for part in body.parts] == [False, True]


def test_each_time_it_is_sent_it_is_lent_and_given_back() -> None:
    owner, wire = pool(), Wire(Reader())
    body = encoded(owner, torch.ones(LARGE))
    address = body.parts[0].value.data_ptr()
    piece = owner.shared(address)
    assert piece is not None

    came = [wire.carry(owner, body) for _ in range(3)]
    read = piece.unread()
    came.clear()

    assert (read, piece.unread()) == (False, True)


def test_a_frame_that_speaks_of_memory_that_is_not_shared_is_refused() -> None:
    body = Body(b"x", parts=encoded(pool(), torch.ones(LARGE)).parts)
    packet = Packet(1, (Message(Kind.ASK, 1, "x", body),), Ack())
    data = pack_frame(Frame(ORIGIN, [(PAIR, packet)], []), 0.0, lambda part: (1, 0, 0, 8))

    with pytest.raises(ValueError, match="lies in shared memory, but this connection shares none"):
        unpack_frame(data, 0.0)


def test_what_lies_on_a_gpu_is_lent_there_to_who_sees_it(gpu: Pretend) -> None:
    owner, wire = pool(), Wire(Reader())
    x = torch.arange(100).to(torch.bfloat16)

    (back,), _ = codec.decode(wire.carry(owner, on_gpu(owner, x)))

    assert torch.equal(back, x)
    assert (wire.chunks, gpu.staged) == (0, 0)


def test_what_lies_on_a_gpu_goes_by_the_hosts_memory_to_who_sees_another(gpu: Pretend) -> None:
    owner, wire = pool(), Wire(Reader())
    assert wire.reader is not None
    wire.reader.lending.refuse(GPU_REFUSED)
    x = torch.ones(LARGE, dtype=torch.bfloat16)
    body = on_gpu(owner, x)
    fences = Lender(wire, owner, "far").fences(body)

    (back,), _ = codec.decode(wire.carry(owner, body))

    assert torch.equal(back, x)
    assert (len(fences), wire.chunks, gpu.staged) == (2, 0, 2 * LARGE)


def test_a_copy_to_the_host_is_made_once_for_all_who_need_it(gpu: Pretend) -> None:
    owner, body = pool(), None
    body = on_gpu(owner, torch.ones(LARGE, dtype=torch.bfloat16))

    fences = [Lender(Wire(None), owner, name).fences(body) for name in ("far", "farther")]

    assert fences[0] == fences[1]
    assert (gpu.staged, gpu.pinned_bytes) == (2 * LARGE, 0)


def test_small_copies_to_the_host_take_pinned_memory(gpu: Pretend) -> None:
    owner, wire = pool(), Wire(None)
    body = on_gpu(owner, torch.ones(3, dtype=torch.bfloat16))

    Lender(wire, owner, "far").fences(body)
    wire.carry(owner, body)

    assert (gpu.pinned_bytes, wire.chunks) == (6, 6)


def on_gpu(owner: Pool, x: torch.Tensor) -> Body:
    return codec.encode([[x], {}], owner.owns, owner.take, None, owner.take_on)
