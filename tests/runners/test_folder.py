"""A run's folder: new, whole or not at all, and readable when the run is over."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tether.actors.state import dump
from tether.runners.agent import conducting, identity
from tether.runners.folder import RunFolder, StateFolder, final_state, state_name


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have the system refuse files beyond a size, as a full disk does."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def test_what_is_written_is_read_back_and_replaced(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")

    folder.write("a-0.safetensors", [b"old"])
    folder.write("a-0.safetensors", [b"n", memoryview(b"ew")])

    assert folder.read("a-0.safetensors") == b"new"
    assert folder.names() == ["a-0.safetensors"]


def test_a_full_disk_leaves_the_old_state_and_no_half_file(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.write("a-0.safetensors", [b"old"])

    with largest_file(4096), pytest.raises(OSError, match="File too large"):
        folder.write("a-0.safetensors", [b"x" * 3000, b"x" * 7000])

    assert [path.name for path in tmp_path.iterdir()] == ["a-0.safetensors"]
    assert folder.read("a-0.safetensors") == b"old"


def test_what_is_removed_is_gone(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.write("a-0.safetensors", [b"old"])

    folder.remove("a-0.safetensors")
    folder.remove("a-0.safetensors")

    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tether.runners.folder import StateFolder

def pieces():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

StateFolder(Path(sys.argv[1])).write("a-0.2.safetensors", pieces())
"""


def test_what_a_killed_writer_leaves_is_no_state_and_goes_with_its_actors_next(
    tmp_path: Path,
) -> None:
    StateFolder(tmp_path).write("a-0.1.safetensors", [b"old"])
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in tmp_path.glob(".*")]
    others = tmp_path / ".a-00.2.safetensors.part"
    others.write_bytes(b"of another actor, which may be alive")
    folder = StateFolder(tmp_path)
    before = folder.names()

    folder.write("a-0.3.safetensors", [b"new"])

    assert (left, before) == ([".a-0.2.safetensors.part"], ["a-0.1.safetensors"])
    assert folder.names() == ["a-0.1.safetensors", "a-0.3.safetensors"]
    assert list(tmp_path.glob(".*")) == [others]


def test_a_folder_nothing_was_written_to_has_no_names(tmp_path: Path) -> None:
    assert StateFolder(tmp_path / "none").names() == []


def test_a_run_without_a_folder_gets_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    runs = [RunFolder.create("easgd") for _ in range(3)]

    assert len({run.path for run in runs}) == 3
    assert all(run.path.parent == tmp_path / "runs" for run in runs)
    assert all(run.path.is_absolute() and run.logs.is_dir() for run in runs)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()

    with pytest.raises(FileExistsError, match="is not empty, but a run wants a folder of its own"):
        RunFolder.create("easgd", tmp_path)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    run = RunFolder.create("easgd", tmp_path)

    assert run.path == tmp_path
    assert run.logs.is_dir()


def test_the_agent_of_a_run_is_known_while_it_lasts(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    before = conducting(tmp_path)

    run.write_agent()
    during = conducting(tmp_path)
    run.remove_agent()
    run.remove_agent()

    assert (before, during, conducting(tmp_path)) == (None, identity(), None)


def test_a_run_that_has_ended_is_reopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plan.json").touch()
    monkeypatch.chdir(tmp_path.parent)

    run = RunFolder.reopen(Path(tmp_path.name))

    assert run.path == tmp_path
    assert run.logs.is_dir()


def test_a_folder_that_is_no_runs_cannot_be_reopened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no run directory, so there is nothing to"):
        RunFolder.reopen(tmp_path)


def test_a_run_that_still_goes_on_cannot_be_reopened(tmp_path: Path) -> None:
    (tmp_path / "plan.json").touch()
    RunFolder(tmp_path).write_agent()

    with pytest.raises(FileExistsError, match=f"is still run by process {os.getpid()}; stop it"):
        RunFolder.reopen(tmp_path)


def test_the_incarnations_of_a_run_are_remembered(tmp_path: Path) -> None:
    before = RunFolder(tmp_path).incarnations()

    RunFolder(tmp_path).remember({"center/0": 1, "worker/0": 3})

    assert before == {}
    assert RunFolder(tmp_path).incarnations() == {"center/0": 1, "worker/0": 3}


@pytest.mark.parametrize("name", ["center", "center/0"])
def test_a_final_state_is_read_by_its_actors_name(tmp_path: Path, name: str) -> None:
    StateFolder(tmp_path / "state").write(state_name("center/0"), [dump({"n": 3})])

    assert final_state(tmp_path, name) == {"n": 3}


def test_a_state_nobody_kept_is_missed_by_name(tmp_path: Path) -> None:
    StateFolder(tmp_path / "state").write(state_name("center/0"), [dump({"n": 3})])
    wanted = re.escape(f"{tmp_path} keeps no state of worker; it keeps center-0.safetensors")

    with pytest.raises(FileNotFoundError, match=wanted):
        final_state(tmp_path, "worker")


def test_a_final_state_that_is_damaged_is_named_with_its_reason(tmp_path: Path) -> None:
    states = StateFolder(tmp_path / "state")
    states.write(state_name("center/0"), [dump({"n": 3})[:-1]])
    wanted = re.escape(f"{states.path / 'center-0.safetensors'}: it is cut short")

    with pytest.raises(ValueError, match=wanted):
        final_state(tmp_path, "center")


def test_the_checkpoints_of_a_run_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)

    run.checkpoints.write("a-0.1.safetensors", [b""])

    assert (tmp_path / "checkpoints" / "a-0.1.safetensors").is_file()
    assert run.states.names() == []
