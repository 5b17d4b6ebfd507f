from __future__ import annotations

import torch
from torch import Tensor

from tether.actors import Group
from tether.actors.state import dump, load
from tether.protocols.aggregator import Aggregator
from tether.protocols.outer import block_momentum
from tether.protocols.rounds import News, Told
from tether.protocols.schedule import adacomm


class Listener:
    """Somebody who is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[News, list[float]]] = []

    async def adopt(self, news: News, c: Tensor, beside: Tensor | None) -> None:
        self.heard.append((news, c.tolist()))


def one(number: float) -> Tensor:
    return torch.tensor([number], dtype=torch.float64)


async def test_the_last_to_come_ends_the_round_and_all_hear_of_it() -> None:
    a, b = Listener(), Listener()
    aggregator = Aggregator(one(8.0), Group([a, b]), H=4, part=2)

    await aggregator.hand(a, Told(0, 4), one(2.0), None)
    before = aggregator.c.tolist(), list(a.heard)
    await aggregator.hand(b, Told(0, 4), one(4.0), None)

    assert before == ([8.0], [])
    assert a.heard == b.heard == [(News(2, 4, 8), [5.0])]
    assert await aggregator.absent() == []


async def test_who_asks_again_ends_it_without_the_others_who_are_named() -> None:
    a, b = Listener(), Listener()
    aggregator = Aggregator(one(8.0), Group([a, b]), H=4)

    for _ in range(2):
        await aggregator.hand(a, Told(0, 4), one(2.0), None)

    assert aggregator.c.tolist() == [6.0]
    assert await aggregator.absent() == [b]
    assert b.heard == []


async def test_who_is_late_is_told_c_and_counted() -> None:
    a, b = Listener(), Listener()
    aggregator = Aggregator(one(8.0), Group([a]), H=4)
    await aggregator.hand(a, Told(0, 4), one(2.0), None)

    await aggregator.hand(b, Told(0, 3), one(100.0), None)

    assert b.heard == [(News(0, 4, 8), [6.0])]
    assert aggregator.hands.late == 1
    assert (await aggregator.pull()).tolist() == [6.0]


async def test_who_is_told_twice_of_a_round_that_it_was_in_is_not_late() -> None:
    a, b, c = Listener(), Listener(), Listener()
    aggregator = Aggregator(one(8.0), Group([a, b]), H=4)

    found = [
        await aggregator.hand(member, Told(0, 4), one(2.0), None) for member in (a, b, a, c, b, c)
    ]

    assert found == [True, True, True, False, True, False]
    assert aggregator.hands.late == 2
    assert aggregator.c.tolist() == [6.0]


async def test_whom_a_round_was_with_is_known_after_a_restart() -> None:
    a, b = Listener(), Listener()
    made = [Aggregator(one(8.0), Group([a, b]), H=4) for _ in range(2)]
    for _ in range(2):
        await made[0].hand(a, Told(0, 4), one(2.0), None)

    made[1].load_state_dict(load(dump(made[0].state_dict())))

    assert made[1].counted == [0, -1]
    assert await made[1].hand(a, Told(0, 4), one(2.0), None)
    assert not await made[1].hand(b, Told(0, 4), one(2.0), None)


async def test_a_joiner_gets_c_its_step_and_when_the_next_is_due() -> None:
    a = Listener()
    aggregator = Aggregator(one(8.0), Group([a]), H=4)

    first = await aggregator.join()
    await aggregator.hand(a, Told(0, 4), one(2.0), None)

    assert first[:2] == (0, 4)
    assert (await aggregator.join())[:2] == (4, 8)


async def test_it_goes_on_from_its_state() -> None:
    a = Listener()
    made = [Aggregator(one(8.0), Group([a]), adacomm(4, 9), block_momentum()) for _ in range(2)]
    await made[0].hand(a, Told(0, 4, loss=4.0, eta=0.1), one(2.0), None)

    made[1].load_state_dict(load(dump(made[0].state_dict())))
    for each in made:
        await each.hand(a, Told(4, 8, loss=1.0, eta=0.1), one(1.0), None)

    assert [(each.c.tolist(), each.due, each.rounds) for each in made] == [([4.0], 10, 2)] * 2
