"""A process asks its GPUs through one door, which a test may put another behind."""

from __future__ import annotations

import torch

from tests.actors.pretend import Pretend
from tether.actors import accelerator
from tether.actors.accelerator import Accelerator, Shared
from tether.actors.cuda import Cuda
from tether.actors.region import Region


def test_it_is_cuda_unless_a_test_says_otherwise() -> None:
    assert isinstance(accelerator.here, Cuda)


def test_what_tests_put_in_its_place_has_the_same_shape(gpu: Pretend) -> None:
    pretend: Accelerator = gpu
    real: Accelerator = Cuda()
    shared: Shared = Region.create(4096)

    assert accelerator.here is pretend
    assert shared.nbytes == 4096
    assert not real.holds(torch.zeros(1))
