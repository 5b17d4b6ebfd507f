"""The check that nothing outlives a test can itself fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.timeout(120)  # tests in a process of their own, beside others

LEAKS = """
import subprocess, sys, tempfile
from pathlib import Path
import pytest

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]

def test_leaves_a_child():
    globals()["child"] = subprocess.Popen(SLEEP)

def test_leaves_an_orphan():
    spawn = f"import subprocess; subprocess.Popen({SLEEP!r})"
    subprocess.run([sys.executable, "-c", spawn], check=True)

def test_leaves_a_socket_folder():
    Path(tempfile.gettempdir(), "tether-1").mkdir()

def test_cleans_up():
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    with tempfile.TemporaryDirectory(prefix="tether-"):
        pass

@pytest.mark.gpu
def test_needs_a_gpu():
    pass
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("leaks")
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    (folder / "test_leaks.py").write_text(LEAKS)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = gpu: needs a CUDA device\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", str(folder)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "300"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=environment
    )
    return done.stdout


@pytest.mark.parametrize(
    ("test", "left"),
    [
        ("leaves_a_child", "process"),
        ("leaves_an_orphan", "process"),
        ("leaves_a_socket_folder", "tether-1"),
    ],
)
def test_what_a_test_leaves_behind_fails_it(report: str, test: str, left: str) -> None:
    lines = [line for line in report.splitlines() if line.startswith("ERROR ")]

    (line,) = [line for line in lines if test in line]
    assert "the test leaves behind: " in line
    assert left in line


def test_a_test_that_cleans_up_passes(report: str) -> None:
    assert "PASSED test_leaks.py::test_cleans_up" in report
    assert "ERROR test_leaks.py::test_cleans_up" not in report


def test_a_test_for_a_gpu_is_skipped_without_one_with_the_reason(report: str) -> None:
    assert "needs a CUDA device, and torch sees none" in report


def test_the_device_is_a_gpu_where_there_is_one(device: torch.device) -> None:
    assert (device.type == "cuda") == torch.cuda.is_available()


def test_torch_keeps_to_one_thread() -> None:
    assert torch.get_num_threads() == 1
