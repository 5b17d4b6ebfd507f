from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tether.actors.state import dump, load
from tether.protocols.rounds import News, Told
from tether.protocols.share import Share


class Scripted:
    """An aggregator that answers from the n-th time on that somebody hands over."""

    def __init__(self, answers_from: int) -> None:
        self.times, self.answers_from = 0, answers_from
        self.seen: list[list[float]] = []

    async def join(self) -> tuple[int, int, Tensor]:
        return 4, 8, torch.ones(2)

    async def hand(self, member: Any, told: Told, D: Tensor, beside: Tensor | None) -> bool:
        self.times += 1
        self.seen.append(D.tolist())
        if self.times >= self.answers_from:
            member.put(News(0, told.t, told.t + 4), torch.full((2,), 5.0), beside)
        return self.times < 3


def share(answers_from: int = 1) -> tuple[Share, Scripted]:
    scripted = Scripted(answers_from)
    made = Share(scripted, None, torch.zeros(2), patience=0.01)  # type: ignore[arg-type]
    made.me = made  # type: ignore[assignment]
    return made, scripted


async def test_a_member_joins_hands_its_difference_over_and_takes_what_follows() -> None:
    mine, scripted = share()

    joined = (await mine.join()).tolist()
    mine.difference(torch.tensor([3.0, 0.0]))
    await mine.hand(Told(mine.base, 8))
    c = await mine.taken()

    assert joined == [1.0, 1.0]
    assert scripted.seen == [[-2.0, 1.0]]
    assert c.tolist() == [5.0, 5.0]
    assert mine.counts
    assert (mine.base, mine.due) == (8, 12)


async def test_who_waits_longer_than_its_patience_asks_again_with_the_same_difference() -> None:
    mine, scripted = share(answers_from=3)
    await mine.join()
    mine.difference(torch.zeros(2))

    await mine.hand(Told(mine.base, 8))
    await mine.taken()

    assert scripted.seen == [[1.0, 1.0]] * 3
    assert not mine.counts
    assert mine.waiting.seconds > 0


async def test_a_consensus_that_is_no_news_is_left_alone() -> None:
    mine, _ = share()
    await mine.join()

    mine.put(News(0, 4, 8), torch.full((2,), 9.0), None)

    assert not mine.arrived


async def test_what_comes_while_a_consensus_is_in_use_does_not_write_into_it() -> None:
    mine, _ = share()
    await mine.join()
    mine.put(News(0, 8, 12), torch.full((2,), 2.0), None)
    c = mine.take()

    mine.put(News(0, 12, 16), torch.full((2,), 3.0), None)

    assert c.tolist() == [2.0, 2.0]


async def test_it_goes_on_from_its_state() -> None:
    mine, _ = share()
    await mine.join()
    other, _ = share()

    other.load_state_dict(load(dump(mine.state_dict())))

    assert (other.c.tolist(), other.base, other.due) == ([1.0, 1.0], 4, 8)


@pytest.mark.parametrize("patience", [0.0, -1.0, float("inf"), float("nan")])
def test_a_patience_without_end_is_refused(patience: float) -> None:
    with pytest.raises(ValueError, match="but a finite time above 0 s is wanted"):
        Share(Scripted(1), None, torch.zeros(2), patience)  # type: ignore[arg-type]
