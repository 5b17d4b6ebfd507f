from __future__ import annotations

import pytest
import torch

from tests.protocols.conftest import build
from tether.actors import Group
from tether.protocols.diloco import Fragment
from tether.protocols.fragments import Fragments, mixed


@pytest.mark.parametrize(
    ("alpha", "seen"), [(0.0, [1.0, 8.0, 8.0, 4.0]), (0.5, [1.0, 5.0, 5.5, 4.0])]
)
def test_a_piece_is_mixed_and_the_others_are_left_alone(alpha: float, seen: list[float]) -> None:
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])

    mixed(x, torch.tensor([8.0, 8.0]), 1, alpha)

    assert x.tolist() == seen


def fragments(P: int, tau: int = 0, alpha: float = 0.0) -> Fragments:
    learner = build()
    made = [Fragment(learner.x, Group(), P, p, P) for p in range(P)]
    return Fragments(Group(made), None, learner, tau, alpha, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("P", [1, 3, 4, 26])
async def test_fragments_of_any_number_make_up_all_of_x(P: int) -> None:
    parts = fragments(P)

    joined = await parts.join()

    assert torch.equal(joined, parts.learner.x)
    lengths = [len(share.c) for share in parts.each]
    assert sum(lengths) == 26
    assert max(lengths) - min(lengths) <= 1


def test_a_state_of_other_fragments_is_refused() -> None:
    with pytest.raises(ValueError, match="a checkpoint of 3 fragments came, but one of 2 is"):
        fragments(2).load_state_dict(fragments(3).state_dict())


def test_a_delay_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="tau is -1, but a delay of 0 steps or more is wanted"):
        fragments(2, tau=-1)


@pytest.mark.parametrize("alpha", [-0.5, 1.0, float("nan")])
def test_a_local_part_out_of_bounds_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="but a local part from 0 to below 1 is wanted"):
        fragments(2, alpha=alpha)
