"""Two processes agree on keys: nothing leaves before, and what is lost leads to another key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgpack
import pytest
import zmq

from tests.actors.conftest import until
from tether.actors.agreement import ACCEPT, LOST, OFFER, Agreement, unpacked
from tether.actors.frames import VERSION
from tether.actors.pump import Intake
from tether.actors.refusals import Refusals
from tether.actors.sealing import ENVELOPE, epoch_of
from tether.actors.speaker import SealedOutlet


def word(kind: int, value: int) -> bytes:
    return bytes(msgpack.packb([VERSION, kind, value]))


Said = list[tuple[str, bytes]]


class Side:
    """An agreement, and what it says."""

    def __init__(self) -> None:
        self.said: Said = []
        self.resent: list[str] = []
        self.refusals = Refusals("side")
        self.agreement = Agreement(
            lambda process, word: self.said.append((process, word)),
            self.resent.append,
            self.refusals,
        )

    def words(self) -> list[tuple[int, object]]:
        return [unpacked(word) for _, word in self.said]


class Line:
    """A bulk connection from left to right."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.far = context.socket(zmq.ROUTER)
        self.far.bind("inproc://bulk")
        near = context.socket(zmq.DEALER)
        near.connect("inproc://bulk")
        self.outlet = SealedOutlet(near)
        self.came: list[list[memoryview]] = []
        self.intake = Intake(self.far, self.came.append, copy=False)
        self.left, self.right = Side(), Side()

    def hand_over(self) -> None:
        """Bring all that was said to the other side, until nobody says more."""
        while self.left.said or self.right.said:
            for one, name, other in (
                (self.left, "left", self.right),
                (self.right, "right", self.left),
            ):
                said, one.said = one.said, []
                for _, word in said:
                    other.agreement.hear(name, word)

    def taken(self) -> list[tuple[bytes, bytes] | None]:
        """Return what opens of all that came."""
        came, self.came[:] = list(self.came), []
        found = []
        for _, head, body in came:
            opened = self.right.agreement.open(bytes(head), body)
            found.append(None if opened is None else (opened[0], bytes(opened[1])))
        return found

    def close(self) -> None:
        self.outlet.close(0)
        self.intake.close(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    with zmq.Context() as context:
        made = Line(context)
        yield made
        made.close()


async def test_nothing_leaves_before_the_other_side_has_the_key(line: Line) -> None:
    line.outlet.send(b"head", memoryview(b"data"))
    line.left.agreement.begin("right", line.outlet)
    assert (len(line.outlet), line.left.words()) == (1, [(OFFER, line.outlet.key)])

    line.hand_over()
    await until(lambda: line.came)

    assert line.taken() == [(b"head", b"data")]


async def test_the_answer_to_an_older_offer_lets_nothing_out(line: Line) -> None:
    line.left.agreement.begin("right", line.outlet)
    old = line.outlet.epoch
    line.left.agreement.begin("right", line.outlet)

    line.outlet.accepted(old)
    line.outlet.send(b"head", memoryview(b"data"))

    assert len(line.outlet) == 1
    assert line.outlet.epoch != old


async def test_what_may_have_been_lost_is_said_again(line: Line) -> None:
    line.left.agreement.begin("right", line.outlet)
    line.left.said.clear()
    line.left.agreement.repeat("right")
    line.outlet.send(b"head", memoryview(b"data"))

    ((_, offer),) = line.left.said
    line.right.agreement.hear("left", offer)
    line.right.said.clear()
    line.right.agreement.repeat("left")

    assert line.right.words() == [(ACCEPT, line.outlet.epoch)]
    line.hand_over()
    await until(lambda: line.came)
    assert line.taken() == [(b"head", b"data")]


async def test_a_chunk_that_does_not_open_leads_to_another_key_and_is_told_once(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.left.agreement.begin("right", line.outlet)
    line.hand_over()
    first = line.outlet.key
    for _ in range(3):
        forged = ENVELOPE.pack(line.outlet.epoch, 0) + bytes(40)
        assert line.right.agreement.open(forged, memoryview(bytes(40))) is None

    assert line.right.words() == [(LOST, line.outlet.epoch)]
    line.hand_over()

    assert line.outlet.key != first
    assert line.left.resent == ["right"]
    assert line.right.refusals.count == {"forged": 1, "given up": 2}
    assert line.left.refusals.count == {"chunk lost": 1}
    assert "right could not open a chunk, so a new key is agreed on" in caplog.text
    line.outlet.send(b"head", memoryview(b"data"))
    await until(lambda: line.came)
    assert line.taken() == [(b"head", b"data")]


async def test_the_loss_of_what_was_sealed_with_an_older_key_changes_nothing(line: Line) -> None:
    line.left.agreement.begin("right", line.outlet)
    line.hand_over()
    key = line.outlet.key

    line.right.said.append(("left", word(LOST, 7)))
    line.hand_over()

    assert line.outlet.key == key


async def test_who_is_forgotten_is_offered_nothing(line: Line) -> None:
    line.left.agreement.begin("right", line.outlet)
    line.left.said.clear()

    line.left.agreement.forget("right")
    line.left.agreement.repeat("right")
    line.left.agreement.hear("right", word(ACCEPT, 7))

    assert line.left.said == []
    assert epoch_of(line.outlet.key) == line.outlet.epoch
