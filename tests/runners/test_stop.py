"""`tether stop`: a run that is there ends, and one that is not is told apart."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tether.runners.folder import RunFolder
from tether.runners.stop import stop_run

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"


@pytest.fixture
def deaf() -> Iterator[int]:
    """A process that does not end when it is told to."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", DEAF], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_a_folder_that_is_none_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none is no run directory"):
        stop_run(tmp_path / "none")


def test_a_run_that_has_ended_is_not_stopped_again(tmp_path: Path) -> None:
    assert stop_run(tmp_path) == f"{tmp_path} has ended already"


def test_a_run_whose_agent_was_killed_is_told_so(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    run = RunFolder(tmp_path)
    run.write_agent(done.pid)

    said = stop_run(tmp_path)

    assert said == f"{tmp_path} has ended already: its process {done.pid} was killed"
    assert run.agent() is None


def test_a_run_that_does_not_end_is_told_with_its_process(tmp_path: Path, deaf: int) -> None:
    RunFolder(tmp_path).write_agent(deaf)
    wanted = re.escape(f"{tmp_path}: process {deaf} was told to end, but goes on")

    with pytest.raises(TimeoutError, match=wanted):
        stop_run(tmp_path, patience=0.1)
