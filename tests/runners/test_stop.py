"""`tether stop`: a run that is there ends, and one that is not is told apart."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tether.runners.agent import FILE, conducting
from tether.runners.stop import stop_run

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def deaf() -> Iterator[int]:
    """A process that does not end when it is told to."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", DEAF], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def conducted(run: Path, pid: int, **more: int) -> None:
    """Have a run's folder name a process as its agent."""
    (run / FILE).write_text(json.dumps({"pid": pid, **more}))


def test_a_folder_that_is_none_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none is no run directory"):
        stop_run(tmp_path / "none")


def test_a_run_that_has_ended_is_not_stopped_again(tmp_path: Path) -> None:
    assert stop_run(tmp_path) == f"{tmp_path} has ended already"


def test_a_run_whose_agent_was_killed_is_told_so(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    conducted(tmp_path, done.pid)

    said = stop_run(tmp_path)

    assert said == f"{tmp_path} has ended already: its process {done.pid} was killed"
    assert conducting(tmp_path) is None


def test_a_run_that_does_not_end_is_told_with_its_process(tmp_path: Path, deaf: int) -> None:
    conducted(tmp_path, deaf)
    wanted = re.escape(f"{tmp_path}: process {deaf} was told to end, but goes on")

    with pytest.raises(TimeoutError, match=wanted):
        stop_run(tmp_path, patience=0.1)


@linux
def test_a_process_that_got_the_id_of_a_killed_agent_is_left_alone(
    tmp_path: Path, deaf: int
) -> None:
    conducted(tmp_path, deaf, started=1)

    said = stop_run(tmp_path)

    assert said == f"{tmp_path} has ended already: its process {deaf} was killed"
    assert conducting(tmp_path) is None
    os.kill(deaf, 0)


@linux
def test_an_agent_that_dies_of_being_told_to_end_is_told_so(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=pipe) as process:
        conducted(tmp_path, process.pid)

        said = stop_run(tmp_path)

    wanted = f"{tmp_path} has ended: its process {process.pid} was killed before it could clean up"
    assert said == wanted
    assert conducting(tmp_path) is None


def test_a_run_ends_when_its_agent_has_removed_its_name(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "def end(*_): pathlib.Path(sys.argv[1]).unlink(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print(flush=True); input()"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, str(tmp_path / FILE)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        conducted(tmp_path, process.pid)

        said = stop_run(tmp_path)

    assert said == f"{tmp_path} has ended"
