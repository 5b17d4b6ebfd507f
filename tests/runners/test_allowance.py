"""What a container lets a process have is found, whatever wrote it down."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners import allowance
from tether.runners.allowance import least, limits, memory, more_files

GIB = 1 << 30


def names(groups: str) -> list[str]:
    return [str(path) for path in limits(groups, Path("/sys"))]


def test_a_group_of_version_two_is_limited_by_all_above_it() -> None:
    assert names("0::/a/b\n") == ["/sys/a/b/memory.max", "/sys/a/memory.max", "/sys/memory.max"]


def test_the_root_of_a_container_has_a_limit_of_its_own() -> None:
    assert names("0::/\n") == ["/sys/memory.max"]


def test_of_version_one_only_the_memory_controller_counts() -> None:
    groups = "9:cpu,cpuacct:/a\n4:memory:/a\n1:name=systemd:/a\n"

    assert names(groups) == [
        "/sys/memory/a/memory.limit_in_bytes",
        "/sys/memory/memory.limit_in_bytes",
    ]


def test_no_group_reaches_out_of_the_file_system_of_groups() -> None:
    assert all(name.startswith("/sys/") for name in names("0::/../../x\n4:memory:/../..\n"))


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], 8 * GIB),
        (["max\n", ""], 8 * GIB),
        ([f"{2 * GIB}\n", "max\n"], 2 * GIB),
        (["9223372036854771712\n"], 8 * GIB),
        ([f"{3 * GIB}", f"{GIB}\n"], GIB),
    ],
)
def test_the_least_limit_counts(texts: list[str], found: int) -> None:
    assert least(8 * GIB, texts) == found


@given(st.integers(1, 2**62), st.lists(st.text()))
def test_whatever_the_files_say_there_is_no_more_than_the_machine_has(
    machine: int, texts: list[str]
) -> None:
    assert least(machine, texts) <= machine


def test_the_limit_of_this_container_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").write_text("0::/job/step\n")
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "memory.max").write_text("4096\n")
    monkeypatch.setattr(allowance, "OWN", tmp_path / "own")
    monkeypatch.setattr(allowance, "CGROUPS", tmp_path)

    assert memory() == 4096


def test_without_groups_the_machine_is_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "OWN", tmp_path / "none")

    assert memory() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_a_process_takes_as_many_descriptors_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1000, before[0]), before[1]))
    monkeypatch.setattr(allowance, "FILES", 1500)
    try:
        more_files()
        more = resource.getrlimit(resource.RLIMIT_NOFILE)
        more_files()
        again = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert more == again == (1500, before[1])
