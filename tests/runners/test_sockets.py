"""The folder of a run's socket files: private, short, and removed by whoever is last."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tether.runners.sockets import PREFIX, SocketFolder, remove_orphaned, sweep


@pytest.fixture
def sockets() -> Iterator[SocketFolder]:
    folder = SocketFolder()
    yield folder
    folder.remove()


def test_nobody_else_may_enter_the_folder(sockets: SocketFolder) -> None:
    assert stat.S_IMODE(sockets.path.stat().st_mode) == 0o700


def test_each_process_has_two_endpoints_of_its_own(sockets: SocketFolder) -> None:
    addresses = sockets.addresses(["center-0", "worker-0"])

    assert list(addresses) == ["center-0", "worker-0"]
    assert len({endpoint for pair in addresses.values() for endpoint in pair}) == 4


def test_an_endpoint_is_as_short_as_a_sockets_path_must_be(sockets: SocketFolder) -> None:
    addresses = sockets.addresses(f"a-table-with-a-long-name-{k}" for k in range(200))

    longest = max(len(endpoint) for pair in addresses.values() for endpoint in pair)

    assert longest - len(tempfile.gettempdir()) < 50


def test_the_first_of_those_who_die_with_their_agent_removes_the_folder(
    sockets: SocketFolder,
) -> None:
    addresses = sockets.addresses(["a", "b"])
    for pair in addresses.values():
        for endpoint in pair:
            Path(endpoint.removeprefix("unix://")).touch()

    remove_orphaned(addresses, "a")
    remove_orphaned(addresses, "b")

    assert not list(sockets.path.parent.glob(f"{sockets.path.name}*"))


def test_folders_of_killed_runs_are_swept_and_those_of_living_ones_kept(
    sockets: SocketFolder,
) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    dead = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{done.pid}-"))
    (dead / "0.c").touch()

    sweep()

    assert not dead.exists()
    assert sockets.path.exists()
    assert sockets.path.name.startswith(f"{PREFIX}{os.getpid()}-")
