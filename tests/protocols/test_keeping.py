from typing import Any

import torch

from tether.protocols.keeping import kept


class Clock:
    def __init__(self, t: int) -> None:
        self.t = t

    state_dict, load_state_dict = kept("t")


class Keeper:
    def __init__(self, x: list[float], t: int) -> None:
        self.x, self.clock, self.name = torch.tensor(x), Clock(t), "nobody asks"

    state_dict, load_state_dict = kept("x", "clock")


def test_a_state_holds_the_named_attributes_and_the_states_of_those_that_have_one() -> None:
    state: dict[str, Any] = Keeper([1.0, 2.0], t=3).state_dict()

    assert state["x"].tolist() == [1.0, 2.0]
    assert state["clock"] == {"t": 3}
    assert set(state) == {"x", "clock"}


def test_a_tensor_is_filled_in_place_and_anything_else_replaced() -> None:
    keeper = Keeper([0.0, 0.0], t=0)
    x = keeper.x

    keeper.load_state_dict(Keeper([1.0, 2.0], t=3).state_dict())

    assert keeper.x is x
    assert x.tolist() == [1.0, 2.0]
    assert keeper.clock.t == 3
