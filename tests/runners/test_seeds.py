"""What is drawn without thinking is drawn again with the same seed."""

from __future__ import annotations

import random

import numpy as np
import torch

from tether.runners.seeds import seed_everything


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_the_same_seed_draws_the_same_everywhere() -> None:
    seed_everything(2**40 + 7, 1)
    first = drawn()

    seed_everything(2**40 + 7, 1)

    assert drawn() == first


def test_another_seed_draws_something_else_everywhere() -> None:
    seed_everything(1, 1)
    first = drawn()

    seed_everything(2, 1)

    assert all(one != other for one, other in zip(first, drawn(), strict=True))


def test_torch_is_held_to_its_threads() -> None:
    seed_everything(0, 2)
    held = torch.get_num_threads()

    seed_everything(0, 1)

    assert (held, torch.get_num_threads()) == (2, 1)
