"""Two processes agree on keys: nothing leaves before, and what is lost leads to another key."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from tests.actors.uploads import Shore, upload
from tether.actors.agreement import ACCEPT, LOST, OFFER, Agreement, unpacked
from tether.actors.bulk import Hello, proof_of
from tether.actors.frames import VERSION
from tether.actors.refusals import Refusals
from tether.actors.sealing import Refused, epoch_of

Said = list[tuple[str, bytes]]


def word(kind: int, value: int) -> bytes:
    return bytes(msgpack.packb([VERSION, kind, value]))


class Side:
    """An agreement, and what it says."""

    def __init__(self) -> None:
        self.said: Said = []
        self.refusals = Refusals("side")
        self.agreement = Agreement(lambda *said: self.said.append(said), self.refusals)

    def words(self) -> list[tuple[int, object]]:
        return [unpacked(word) for _, word in self.said]


class Line:
    """The connection of bulk from left to right, and what is said about its keys."""

    def __init__(self, folder: Path) -> None:
        self.shore = Shore(folder)
        self.left, self.right = Side(), Side()
        self.upload = upload(
            self.shore.address, begin=lambda made: self.left.agreement.begin("right", made)
        )

    def hand_over(self) -> None:
        """Bring all that was said to the other side, until nobody says more."""
        while self.left.said or self.right.said:
            for one, name, other in (
                (self.left, "left", self.right),
                (self.right, "right", self.left),
            ):
                said, one.said = one.said, []
                for _, told in said:
                    other.agreement.hear(name, told)

    def close(self) -> None:
        self.upload.close()
        self.shore.close()


@pytest.fixture
async def line(folder: Path) -> Line:
    return Line(folder)


async def test_nothing_is_dialled_before_the_other_side_has_the_key(line: Line) -> None:
    line.upload.send(b"head", b"data")
    line.upload.begin()
    assert (len(line.upload), line.left.words()) == (1, [(OFFER, line.upload.key)])
    assert not line.shore.stream

    line.hand_over()
    hello = await line.shore.accepted()

    assert line.right.agreement.claim(hello) == ("left", line.upload.key)
    line.close()


async def test_a_hello_opens_one_connection(line: Line) -> None:
    line.upload.begin()
    line.hand_over()
    hello = Hello(line.upload.epoch, proof_of(line.upload.key))
    line.right.agreement.claim(hello)

    line.left.said.append(("right", bytes(msgpack.packb([VERSION, OFFER, line.upload.key]))))
    line.hand_over()

    with pytest.raises(Refused, match="or that was used before"):
        line.right.agreement.claim(hello)
    line.close()


async def test_the_answer_to_an_older_offer_lets_nothing_out(line: Line) -> None:
    line.upload.begin()
    old = line.upload.epoch
    line.left.agreement.begin("right", line.upload)

    line.upload.accepted(old)

    assert line.upload.waits
    assert line.upload.epoch != old
    line.close()


async def test_what_may_have_been_lost_is_said_again(line: Line) -> None:
    line.upload.begin()
    line.left.said.clear()
    line.left.agreement.repeat("right")

    ((_, offer),) = line.left.said
    line.right.agreement.hear("left", offer)
    line.right.said.clear()
    line.right.agreement.repeat("left")

    assert line.right.words() == [(ACCEPT, line.upload.epoch)]
    line.hand_over()
    await line.shore.accepted()
    line.left.agreement.repeat("right")
    assert line.left.words() == []  # a key that is in use is offered no more
    line.close()


async def test_what_could_not_be_opened_leads_to_another_key(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.upload.begin()
    line.hand_over()
    first, hello = line.upload.key, await line.shore.accepted()

    line.right.agreement.lose("left", hello.epoch)
    line.hand_over()
    await line.shore.until(lambda: line.upload.key != first)

    assert line.left.words() == [(OFFER, line.upload.key)]
    assert line.left.refusals.count == {"chunk lost": 1}
    assert "right could not open a chunk, so a new key is agreed on" in caplog.text
    line.close()


async def test_the_loss_of_what_was_sealed_with_an_older_key_changes_nothing(line: Line) -> None:
    line.upload.begin()
    line.hand_over()
    key = line.upload.key
    await line.shore.accepted()

    line.left.agreement.hear("right", word(LOST, 7))

    assert line.upload.key == key
    assert not line.upload.waits
    line.close()


async def test_who_is_forgotten_is_offered_nothing(line: Line) -> None:
    line.upload.begin()
    line.left.said.clear()

    line.left.agreement.forget("right")
    line.left.agreement.repeat("right")
    line.left.agreement.hear("right", word(ACCEPT, line.upload.epoch))

    assert line.left.said == []
    assert line.upload.waits
    assert epoch_of(line.upload.key) == line.upload.epoch
    line.close()
