"""Files that go home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runners.worlds import HOSTED, plan
from tether.runners.folder import RunFolder
from tether.runners.parcel import PIECE, Arrivals, parcels, pieces

MADE = plan(HOSTED)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[RunFolder, RunFolder]:
    """The directories of a run at home and on another host."""
    return RunFolder.create("x", tmp_path / "home"), RunFolder.create("x", tmp_path / "there")


def test_what_a_hosts_actors_may_leave_is_known_beforehand(tmp_path: Path) -> None:
    found = parcels(MADE, "right", RunFolder(tmp_path))

    assert list(found) == [
        "logs/adder-0.log",
        "logs/adder-1.log",
        "state/adder-0.safetensors",
        "state/adder-1.safetensors",
    ]


@pytest.mark.parametrize("size", [0, 5, PIECE, 2 * PIECE + 7])
def test_a_file_arrives_as_it_was(folders: tuple[RunFolder, RunFolder], size: int) -> None:
    home, there = folders
    content = bytes(k % 251 for k in range(size))
    (there.logs / "adder-1.log").write_bytes(content)
    arrivals = Arrivals(MADE, "right", home)

    for word, folder, name, offset, data, last in pieces(MADE, "right", there):
        assert word == "file"
        arrivals.take(folder, name, offset, data, last=last)

    assert [path.name for path in home.logs.iterdir()] == ["adder-1.log"]
    assert (home.logs / "adder-1.log").read_bytes() == content


def test_what_no_actor_of_the_host_leaves_is_not_written(
    folders: tuple[RunFolder, RunFolder],
) -> None:
    home, _ = folders
    arrivals = Arrivals(MADE, "right", home)

    for name in ("counter-0.log", "../../adder-0.log", "plan.json"):
        arrivals.take("logs", name, 0, b"wrong", last=True)

    assert list(home.logs.iterdir()) == []


def test_what_has_come_in_part_only_is_not_there(folders: tuple[RunFolder, RunFolder]) -> None:
    home, _ = folders

    Arrivals(MADE, "right", home).take("logs", "adder-0.log", 0, b"half", last=False)

    assert [path.name for path in home.logs.iterdir()] == [".adder-0.log.part"]
