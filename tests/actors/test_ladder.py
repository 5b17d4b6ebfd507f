"""Two networks as one."""

from __future__ import annotations

from typing import Any

from tether.actors.ladder import Ladder
from tether.actors.loans import Lending, Loans


class Rung:
    """A network that notes what it is asked to do."""

    resend_after: float | None = None

    def __init__(self, *, shares: bool = False) -> None:
        self.shares = shares
        self.lent = Lending().loans() if shares else None
        self.did: list[tuple[Any, ...]] = []

    def loans(self, process: str) -> Loans | None:
        return self.lent

    async def start(self, receiver: Any) -> None:
        self.did.append(("start", receiver))

    def send(self, process: str, frame: bytes) -> None:
        self.did.append((process, frame))

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        self.did.append((process, header, bytes(data)))

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        self.did.append(("renew", process, addresses))

    async def close(self, linger: float) -> None:
        self.did.append(("close", linger))


async def test_who_is_away_is_reached_by_the_far_network_and_all_others_by_the_near_one() -> None:
    near, far = Rung(), Rung()
    ladder = Ladder(near, far, {"worker-1"})

    for process in ("worker-0", "worker-1"):
        ladder.send(process, b"frame")
        ladder.send_chunk(process, b"head", memoryview(b"body"))
        ladder.renew(process)

    for rung, process in ((near, "worker-0"), (far, "worker-1")):
        assert rung.did == [
            (process, b"frame"),
            (process, b"head", b"body"),
            ("renew", process, None),
        ]


async def test_both_networks_begin_and_end_together() -> None:
    near, far, receiver = Rung(), Rung(), object()
    ladder: Any = Ladder(near, far, set())

    await ladder.start(receiver)
    await ladder.close(0.5)

    assert near.did == far.did == [("start", receiver), ("close", 0.5)]


def test_memory_is_lent_to_those_who_are_near() -> None:
    near, far = Rung(shares=True), Rung()
    ladder = Ladder(near, far, {"worker-1"})

    assert ladder.shares
    assert ladder.loans("worker-0") is near.lent is not None
    assert ladder.loans("worker-1") is None
