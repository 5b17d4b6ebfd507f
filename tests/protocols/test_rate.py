from __future__ import annotations

from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.state import dump, load
from tether.protocols.rate import LOWEST, Fixed, Held, held, rate

POSITIVE = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("distance", "factor"),
    [(sqrt(2), 1.0), (1.5 * sqrt(2), 1.5), (9e9, 2.0), (sqrt(2) / 1.25, 0.8), (0, 0.5)],
)
def test_p_follows_the_distance_by_a_factor_of_2_at_most(distance: float, factor: float) -> None:
    same = held(0.25, sqrt(2), apart=1.0, interval=4)

    assert held(0.25, distance, apart=1.0, interval=4) == pytest.approx(same * factor)


def test_p_follows_the_p_of_others_which_the_interval_tells() -> None:
    found = [held(0.25, sqrt(2), apart=1.0, interval=n) for n in (0, 1, 4, 64, 10**9)]

    assert found == sorted(found, reverse=True)
    assert found[0] == found[1]
    assert found[1] > 0.25 > found[2]
    assert found[-1] == 0.125


@given(p=st.floats(LOWEST, 1), distance=st.floats(0, 1e9), apart=POSITIVE, n=st.integers(0, 9999))
def test_p_stays_a_probability_above_0(p: float, distance: float, apart: float, n: int) -> None:
    assert LOWEST <= held(p, distance, apart, n) <= 1


@given(p=st.floats(LOWEST, 1), one=POSITIVE, other=POSITIVE)
def test_a_larger_distance_never_makes_p_smaller(p: float, one: float, other: float) -> None:
    less, more = sorted((one, other))

    assert held(p, less, 1.0, 9) <= held(p, more, 1.0, 9)


def apart_with(made: list[Fixed], steps: int, noise: float) -> tuple[float, int]:
    """Return the mean ‖xⁱ − x̄‖ of random walks that gossip, and how many messages that took."""
    draws = torch.Generator().manual_seed(0)
    x = torch.zeros(8, 16)
    seen, sent = [], 0
    for step in range(steps):
        x += noise * torch.randn(8, 16, generator=draws)
        for i in torch.nonzero(torch.rand(8, generator=draws) < torch.tensor([m.p for m in made])):
            j = (int(i) + 1 + int(torch.randint(7, (1,), generator=draws))) % 8
            made[j].saw(x[j], x[int(i)], step)
            x[j] = (x[j] + x[int(i)]) / 2
            sent += 1
        if step >= steps // 2:
            seen.append(float((x - x.mean(0)).norm(dim=1).mean()))
    return sum(seen) / len(seen), sent


@pytest.mark.parametrize("apart", [0.5, 1.0, 2.0])
def test_a_declared_disagreement_is_held(apart: float) -> None:
    found, _ = apart_with([Held(apart) for _ in range(8)], 2000, noise=0.05)

    assert 0.75 * apart < found < 1.25 * apart


def test_it_takes_little_more_messages_than_the_one_p_that_does_as_well() -> None:
    found, sent = apart_with([Held(1.0) for _ in range(8)], 2000, noise=0.05)

    fixed = [apart_with([Fixed(p) for _ in range(8)], 2000, 0.05) for p in (0.02, 0.03, 0.05, 0.08)]
    as_good = [messages for apart, messages in fixed if apart <= found]

    assert sent < 1.5 * min(as_good)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), "fast"])
def test_what_is_no_probability_is_refused(p: float | str) -> None:
    with pytest.raises(ValueError, match=r"p is .*, but a probability from 0 to 1 is wanted, or"):
        rate(p, 1.0)


@pytest.mark.parametrize("apart", [0.0, -1.0, float("inf")])
def test_without_a_disagreement_to_hold_auto_is_refused(apart: float) -> None:
    with pytest.raises(ValueError, match="with p = 'auto' a disagreement above 0 is wanted"):
        rate("auto", apart)


def test_a_fixed_p_stays_and_one_that_is_held_goes_on_from_its_checkpoint() -> None:
    fixed, first, second = rate(0.25, 0.0), rate("auto", 1.0), rate("auto", 1.0)
    for each in (fixed, first):
        each.saw(torch.zeros(2), torch.zeros(2), 4)

    second.load_state_dict(load(dump(first.state_dict())))
    fixed.load_state_dict(fixed.state_dict())

    assert (fixed.p, first.p) == (0.25, held(1.0, 0.0, 1.0, 4))
    assert second.state_dict() == first.state_dict() == {"p": first.p, "last": 4}
