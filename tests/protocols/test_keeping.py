import re
from typing import Any

import pytest
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


@pytest.mark.parametrize(
    ("came", "what"),
    [
        (torch.zeros(3), "shape (3,), float32"),
        (torch.zeros(1), "shape (1,), float32"),
        (torch.zeros(2, dtype=torch.float64), "shape (2,), float64"),
        (None, "a NoneType"),
        ([1.0, 2.0], "a list"),
    ],
)
def test_a_tensor_of_another_shape_or_dtype_is_refused(came: Any, what: str) -> None:
    keeper = Keeper([1.0, 2.0], t=0)
    wanted = f"x: a checkpoint of {what} came, but shape (2,), float32 is wanted"

    with pytest.raises(ValueError, match=re.escape(wanted)):
        keeper.load_state_dict({"x": came, "clock": {"t": 3}})

    assert keeper.x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("state", "there"), [({"x": 0, "y": 1}, "x, y"), ({}, "nothing")])
def test_a_checkpoint_without_a_part_is_refused_by_its_name(
    state: dict[str, Any], there: str
) -> None:
    with pytest.raises(ValueError, match=f"t: the checkpoint has no such part; it has {there}"):
        Clock(0).load_state_dict(state)
