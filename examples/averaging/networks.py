"""The networks of the papers that examples/averaging replicates, for CIFAR-10."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def seven_layers() -> nn.Module:
    """Return EASGD's network (1412.6651, section 5) for 3 × 28 × 28: 351,946 parameters.

    In the paper's notation (3,28)C(64,24)P(64,12)C(128,8)P(128,4)C(64,2)D(256,1)S(10,1).
    """
    return nn.Sequential(
        nn.Conv2d(3, 64, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(128, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 10),
    )  # fmt: skip


class Block(nn.Module):
    """Two 3 × 3 convolutions beside a short cut, which drops pixels and pads channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride, self.more = outputs // inputs, outputs - inputs
        self.path = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(path(x) + x)."""
        short = x[:, :, :: self.stride, :: self.stride]
        if self.more:
            short = nn.functional.pad(short, (0, 0, 0, 0, 0, self.more))
        return torch.relu(self.path(x) + short)


def resnet_20() -> nn.Module:
    """Return the ResNet-20 of local SGD (1808.07217) for 3 × 32 × 32: 269,722 parameters.

    He et al. 2015 (1512.03385), section 4.2: three stages of three blocks, short cuts of type A.
    """
    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [Block(*pair) for pair in pairwise(widths)]
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
