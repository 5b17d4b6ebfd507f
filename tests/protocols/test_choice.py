from __future__ import annotations

from collections import Counter

import pytest

from tether.actors import Group
from tether.actors.state import dump, load
from tether.protocols.choice import Random, Rotating

ABC = Group(["a", "b", "c"])


def test_members_are_drawn_with_the_same_chance() -> None:
    drawn = Random(seed=1)

    counts = Counter(drawn.one(ABC) for _ in range(3000))

    assert set(counts) == {"a", "b", "c"}
    assert all(abs(count - 1000) < 100 for count in counts.values())


@pytest.mark.parametrize(("p", "least", "most"), [(0.0, 0, 0), (0.25, 420, 580), (1.0, 2000, 2000)])
def test_a_trial_succeeds_as_often_as_its_probability_says(p: float, least: int, most: int) -> None:
    drawn = Random(seed=2)

    count = sum(drawn.happens(p) for _ in range(2000))

    assert least <= count <= most


def test_the_same_seed_draws_the_same_and_another_one_others() -> None:
    one, same, other = Random(seed=3), Random(seed=3), Random(seed=4)

    draws = [[each.one(ABC) for _ in range(20)] for each in (one, same, other)]

    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_members_take_turns_again_and_again() -> None:
    turns = Rotating()

    assert [turns.one(ABC) for _ in range(5)] == ["a", "b", "c", "a", "b"]


def test_turns_may_begin_anywhere() -> None:
    assert Rotating(first=2).one(ABC) == "c"


@pytest.mark.parametrize("cls", [Random, Rotating])
def test_who_goes_on_from_a_checkpoint_chooses_on(cls: type[Random]) -> None:
    first, second = cls(), cls()
    for _ in range(4):
        first.one(ABC)

    second.load_state_dict(load(dump(first.state_dict())))

    assert [second.one(ABC) for _ in range(9)] == [first.one(ABC) for _ in range(9)]


@pytest.mark.parametrize("cls", [Random, Rotating])
def test_of_nobody_nobody_can_be_chosen(cls: type[Random]) -> None:
    with pytest.raises(IndexError, match="the group is empty, so there is nobody to choose"):
        cls().one(Group[str]())
