from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.protocols.rounds import Hands, Told, mean


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def handed(**each: tuple[float, int]) -> Hands:
    """Return what members have handed over: a number, and of how many workers it is the mean."""
    hands = Hands()
    for name, (number, n) in each.items():
        hands.put(name, Told(0, 4, loss=number, eta=0.5, n=n), vector(number), None, vector(0.0))
    return hands


def test_a_round_is_the_mean_over_all_workers_of_those_there() -> None:
    done = handed(a=(4.0, 1), b=(8.0, 3)).take(["b", "a", "c"])

    assert done.there == ["b", "a"]
    assert done.missing == ["c"]
    assert done.D.tolist() == [7.0]
    assert (done.told.n, done.told.loss, done.told.t, done.told.last) == (4, 7.0, 4, False)


@given(st.permutations("abcd"))
def test_l1_the_sum_is_made_in_the_order_of_the_group(order: list[str]) -> None:
    numbers = {"a": 0.1, "b": 1e16, "c": -1e16, "d": 0.3}

    done = handed(**{name: (numbers[name], 1) for name in order}).take("abcd")

    assert done.D.tolist() == [(((0.1 + 1e16) - 1e16) + 0.3) / 4]


def test_who_has_left_since_still_counts() -> None:
    done = handed(a=(4.0, 1), b=(8.0, 1)).take(["a"])

    assert done.there == ["a", "b"]
    assert done.D.tolist() == [6.0]


def test_who_comes_again_is_told_apart_and_its_last_word_holds() -> None:
    hands, c = Hands(), vector(0.0)

    found = [hands.put("a", Told(0, t), vector(float(t)), None, c) for t in (1, 2)]

    assert found == [False, True]
    assert hands.complete(["a"])
    assert not hands.complete(["a", "b"])
    assert hands.take(["a"]).D.tolist() == [2.0]
    assert not hands.complete(["a"])


def test_a_copy_is_kept_not_what_was_lent() -> None:
    hands, D = Hands(), vector(1.0)
    hands.put("a", Told(0, 1), D, D, vector(0.0))

    D.fill_(9.0)
    done = hands.take(["a"])

    assert done.D.tolist() == [1.0]
    assert done.beside is not None
    assert done.beside.tolist() == [1.0]


@pytest.mark.parametrize(
    ("D", "beside", "why"),
    [
        (vector(float("inf")), None, "the difference c − w has 1 of 1 numbers NaN or infinite"),
        (vector(1.0, 2.0), None, "the difference c − w does not fit"),
        (vector(1.0), vector(float("nan")), "what travels beside x has 1 of 1 numbers NaN"),
    ],
)
def test_what_cannot_be_averaged_is_refused_and_not_kept(
    D: torch.Tensor, beside: torch.Tensor | None, why: str
) -> None:
    hands = Hands()

    with pytest.raises(ValueError, match=why):
        hands.put("a", Told(0, 1), D, beside, vector(0.0))

    assert not hands.told


def test_vectors_of_different_lengths_have_no_mean() -> None:
    with pytest.raises(ValueError, match="a vector to be averaged does not fit"):
        mean([vector(1.0), vector(1.0, 2.0)], [1, 1])
