from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.conftest import build
from tether.protocols.quadratic import Quadratic
from tether.protocols.schedule import (
    Progress,
    Schedule,
    adacomm,
    constant,
    post_local,
    rate,
    scheduled,
    staggered,
)


def at(t: int, loss: float = nan, eta: float = nan) -> Progress:
    return Progress(t, loss, eta)


def rounds(schedule: Schedule, steps: int) -> list[int]:
    """Return the steps at which rounds end; the last one ends with the run."""
    found, t = [], 0
    while t < steps:
        t = min(steps, t + schedule(at(t)))
        found.append(t)
    return found


def test_a_number_is_the_constant_schedule_and_a_schedule_stays() -> None:
    schedule = constant(3)

    assert rounds(scheduled(4), 10) == [4, 8, 10]
    assert scheduled(schedule) is schedule


@given(H=st.integers(1, 9), start=st.integers(1, 20), steps=st.integers(20, 60))
def test_l4_post_local_has_so_many_rounds(H: int, start: int, steps: int) -> None:
    found = rounds(post_local(H, start), steps)

    assert len(found) == start + -(-(steps - start) // H)


def test_adacomm_follows_loss_and_rate() -> None:
    schedule = adacomm(8, most=20)

    found = [
        schedule(at(0)), schedule(at(8, 4.0, 0.1)), schedule(at(16, 1.0, 0.1)),
        schedule(at(24, 1.0, 0.025)), schedule(at(32, 0.001, 0.1)), schedule(at(40, 400.0, 0.1)),
        schedule(at(48, inf, 0.1)),
    ]  # fmt: skip

    assert found == [8, 8, 4, 8, 1, 20, 8]


def test_adacomm_goes_on_from_its_state() -> None:
    first, second = adacomm(8, most=20), adacomm(8, most=20)
    first(at(8, 4.0, 0.1))

    second.load_state_dict(first.state_dict())

    assert second(at(16, 1.0, 0.1)) == 4
    assert constant(2).state_dict() == {}


@pytest.mark.parametrize(("H", "of"), [(8, 4), (7, 3), (5, 5), (6, 1)])
def test_fragments_take_turns_within_h_steps(H: int, of: int) -> None:
    found = [rounds(staggered(H, p, of), 3 * H + 1) for p in range(of)]

    assert [each[0] for each in found] == sorted({each[0] for each in found})
    assert found[-1][:3] == [H, 2 * H, 3 * H]
    assert all(b - a == H for each in found for a, b in pairwise(each[:3]))


@pytest.mark.parametrize(("H", "part", "of"), [(4, 4, 4), (4, -1, 4), (4, 0, 5)])
def test_a_part_there_is_none_of_is_refused(H: int, part: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"part is {part} of {of}, but one of at most H = {H}"):
        staggered(H, part, of)


def test_a_rule_that_gives_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="H is 0, but a period of 1 step or more is wanted"):
        Schedule(lambda _: 0)(at(0))


def test_the_rate_is_that_of_the_first_group_or_of_a_learner_without_any() -> None:
    learner = build(lr=0.25)
    assert learner.optimizer is not None
    learner.optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.5})

    found = rate(learner), rate(Quadratic(1, 0.125, 1.0, 0.0, 0.0, 1.0, seed=0))

    assert found == (0.25, 0.125)
