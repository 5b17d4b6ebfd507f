"""What every test gets: a device, one torch thread, and a check that nothing outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    import torch

MARK = "TETHER_TESTS"
"""Set in the environment of all processes of a test run, so that orphans are found too."""

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Processes of a run find the packages compiled: half of the time that it takes to start one.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ[MARK] = str(os.getpid())


def pytest_configure(config: pytest.Config) -> None:
    """Give this run a temporary folder of its own, where what is left behind is its own."""
    if only_hands_out(config):
        return
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    tempfile.tempdir = tempfile.mkdtemp(prefix="run-")
    os.environ["TMPDIR"] = tempfile.tempdir
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the temporary folder of this run."""
    if only_hands_out(config):
        return
    shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
    tempfile.tempdir = None
    os.environ.pop("TMPDIR")


def only_hands_out(config: pytest.Config) -> bool:
    """Tell whether this process runs no tests, but hands them out to others."""
    return bool(config.getoption("numprocesses", 0)) and not hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes the `device` fixture: it runs anywhere, and on the GPU by `make gpu`."""
    for item in items:
        if "device" in getattr(item, "fixturenames", ()):
            item.add_marker("device")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a CUDA device where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device, and torch sees none")


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The CUDA device when there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(autouse=True)
def one_torch_thread() -> None:
    """Keep torch from taking all cores, where it is used at all."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves processes or `tether-*` files behind."""
    processes, files = set(psutil.pids()), temporary_files()
    yield
    _, alive = psutil.wait_procs(list(ours(set(psutil.pids()) - processes)), timeout=2)
    names = [f"process {process.pid} ({command(process)})" for process in alive]
    for process in alive:
        process.kill()
    names += [str(file) for file in sorted(temporary_files() - files)]
    if names:
        pytest.fail(f"the test leaves behind: {', '.join(names)}", pytrace=False)


def ours(pids: Iterable[int]) -> Iterator[psutil.Process]:
    """Yield the living processes among these that this test run has started, also orphans."""
    for pid in pids:
        try:
            process = psutil.Process(pid)
            started = process.environ().get(MARK) == str(os.getpid())
            if started and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.Error:
        return "gone by now"


def temporary_files() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("tether-*"))
