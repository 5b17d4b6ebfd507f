"""The transport benchmark at a hundredth of its size: which rows it gives, and what it writes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "benchmarks" / "transport.py"


def transport(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--rounds", "1", "--scale", "0.01", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def measured(folder: Path, only: str, systems: str) -> list[dict[str, Any]]:
    file = folder / "rows.json"
    done = transport("--only", only, "--systems", systems, "--json", str(file))
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def test_the_limits_give_a_row_for_each_workload_they_can_do(tmp_path: Path) -> None:
    rows = measured(tmp_path, "W1,W2,W3-4MB", "memcpy,shm,unix")

    found = {(row["workload"], row["system"]) for row in rows}
    exchanges = {"W3-4MB-untouched", "W3-4MB-touched"}
    assert found == {
        *((row, system) for row in exchanges for system in ("memcpy", "shm", "unix")),
        *((row, system) for row in ("W1", "W1-pinned") for system in ("shm", "unix")),
        ("W2", "unix"),
        ("W2-ask16", "unix"),
    }


def test_tether_is_measured_by_actors_in_processes_of_their_own(tmp_path: Path) -> None:
    rows = measured(tmp_path, "W1,W2", "tether")

    found = {row["workload"]: row["unit"] for row in rows}
    assert found == {
        "W1": "µs",
        "W1-pinned": "µs",
        "W2": "messages/s",
        "W2-ask16": "asks/s",
    }


def test_a_row_says_what_was_measured_and_how_it_spreads(tmp_path: Path) -> None:
    rows = measured(tmp_path, "W3-4MB", "shm")

    assert [set(row) for row in rows] == [
        {"workload", "system", "median", "min", "max", "unit"}
    ] * len(rows)
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in rows)


def test_the_table_shows_each_row_and_its_ratio_to_the_reference() -> None:
    done = transport("--only", "W1-pinned", "--systems", "unix,shm")

    lines = [line.split() for line in done.stdout.splitlines() if line.split()[1:2] == ["unix"]]
    assert [(line[0], line[-3:]) for line in lines] == [("W1-pinned", ["1.00", "×", "unix"])]


@pytest.mark.parametrize("system", ["ray", "monarch", "xoscar"])
def test_a_peer_that_is_not_installed_is_left_out_and_named(system: str) -> None:
    if any(importlib.util.find_spec(name) for name in (system, f"torch{system}")):
        pytest.skip(f"{system} is installed here")

    done = transport("--only", "W1-pinned", "--systems", f"shm,{system}")

    assert done.returncode == 0
    assert f"{system} is left out: the package {system} is not installed" in done.stderr


def test_an_unknown_system_is_refused_with_the_names_of_those_there_are() -> None:
    done = transport("--systems", "zeromq")

    assert done.returncode == 1
    assert "--systems zeromq: there is no such system; there are memcpy, shm, unix" in done.stderr
