"""The papers' networks, what they see of CIFAR-10, and how its replication is gone on with."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tether.runners.linker import link
from tether.runners.wiring import read

HERE = Path(__file__).parents[2] / "examples" / "averaging"


@pytest.fixture
def module() -> Any:
    """What imports the example's own modules, as its wirings find them."""
    sys.path.insert(0, str(HERE))
    return importlib.import_module


@pytest.mark.parametrize(
    ("kind", "side", "parameters"), [("seven_layers", 28, 351_946), ("resnet_20", 32, 269_722)]
)
def test_the_networks_have_the_papers_sizes(
    module: Any, kind: str, side: int, parameters: int
) -> None:
    network = module("task").network(kind)

    outputs = network(torch.zeros(2, 3, side, side))

    assert sum(p.numel() for p in network.parameters()) == parameters
    assert outputs.shape == (2, 10)


def test_the_same_seed_makes_the_same_network(module: Any) -> None:
    task = module("task")

    one, same, other = (task.initial("seven_layers", seed) for seed in (1, 1, 2))

    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def numbered(module: Any, count: int) -> Any:
    """Return pictures of which each pixel tells its place, as far as a byte can."""
    rows, columns = torch.arange(32)[:, None], torch.arange(32)[None, :]
    pixels = torch.stack([rows.expand(32, 32), columns.expand(32, 32), rows + columns])
    labels = torch.arange(count) % 10
    return module("data").Images(pixels.to(torch.uint8).expand(count, 3, 32, 32), labels)


def places(module: Any, x: torch.Tensor) -> torch.Tensor:
    """Return the first two channels as the rows and columns they were made of."""
    mean, deviation = (
        module("task").normal(torch.tensor([[0, 255]] * 3)[None, :, :, None]).unbind(2)
    )
    found: torch.Tensor = ((x - mean[..., None]) / (deviation - mean)[..., None] * 255).round()[
        :, :2
    ]
    return found


def test_for_a_test_the_square_in_the_middle_is_seen_in_order(module: Any) -> None:
    squares = module("task").Squares(numbered(module, 5), 2, "seven_layers")

    batches = list(squares)

    assert [len(labels) for _, labels in batches] == [2, 2, 1]
    assert torch.cat([labels for _, labels in batches]).tolist() == [0, 1, 2, 3, 4]
    rows, columns = places(module, batches[0][0])[0]
    assert rows[:, 0].tolist() == list(range(2, 30))
    assert columns[0].tolist() == list(range(2, 30))


@pytest.mark.parametrize(
    ("kind", "side", "border"), [("seven_layers", 28, 0), ("resnet_20", 32, 4)]
)
def test_for_training_squares_lie_anywhere_and_half_are_mirrored(
    module: Any, kind: str, side: int, border: int
) -> None:
    squares = module("task").Squares(numbered(module, 200), 200, kind, seed=3)

    x, labels = next(iter(squares))

    assert x.shape == (200, 3, side, side)
    assert sorted(labels.tolist()) == sorted([*range(10)] * 20)
    middle = places(module, x)[:, :, side // 2, border : side - border]
    steps = middle[:, 1].diff(dim=1)
    mirrored = (steps == -1).all(1)
    assert ((steps == 1).all(1) | mirrored).all()
    assert 60 < int(mirrored.sum()) < 140
    assert len(set(middle[:, 0, 0].tolist())) == 32 - side + 1 + 2 * border


def test_the_same_seed_gives_the_same_squares_and_the_next_epoch_others(module: Any) -> None:
    one, same = (
        module("task").Squares(numbered(module, 30), 30, "resnet_20", seed=5) for _ in range(2)
    )

    (first, _), (again, _), (after, _) = next(iter(one)), next(iter(same)), next(iter(one))

    assert torch.equal(first, again)
    assert not torch.equal(first, after)


def test_other_pictures_than_cifar_10_are_refused(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = module("task")
    images = module("data").Images(torch.zeros(2, 1, 28, 28), torch.zeros(2))
    monkeypatch.setattr(module("data"), "load", lambda: (images, images))

    with pytest.raises(ValueError, match="the pictures are 1 × 28 × 28, but CIFAR-10's 3 × 32 ×"):
        task.learner("resnet_20")


@pytest.mark.parametrize("wiring", sorted(path.name for path in HERE.glob("*.toml")))
def test_the_wirings_are_sound(wiring: str) -> None:
    plan = link(read(HERE / wiring), HERE, name="cifar")

    assert plan is not None


def test_a_run_without_a_checkpoint_is_begun_anew_and_one_with_is_gone_on_with(
    module: Any, tmp_path: Path
) -> None:
    begun = module("replicate").begun
    (tmp_path / "new" / "checkpoints").mkdir(parents=True)
    (tmp_path / "old" / "checkpoints").mkdir(parents=True)
    (tmp_path / "old" / "checkpoints" / "worker-0.1.safetensors").touch()

    assert [begun(tmp_path / name) for name in ("none", "new", "old")] == [False, False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_the_table_has_mean_and_standard_error_of_what_has_ended(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicate = module("replicate")
    monkeypatch.setattr(replicate, "RUNS", tmp_path)
    way = replicate.WAYS[0]
    for seed, error in ((0, 0.30), (1, 0.34)):
        run = replicate.folder(way, seed)
        run.mkdir()
        (run / "error.json").write_text(json.dumps({"error": error}))

    table = list(replicate.table())

    assert table[2:] == [f"| {way.name} | 32.00% | 2.00% | 2 |"]  # ±0.02 is √2·0.02 / √2


def test_a_run_that_cannot_be_made_ends_all_with_its_exit_code(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    replicate = module("replicate")

    with pytest.raises(SystemExit, match="2"):
        replicate.train(replicate.Way("wrong", "no_such.toml", "resnet_20"), 0, float("inf"))

    assert "no_such.toml" in capfd.readouterr().err
