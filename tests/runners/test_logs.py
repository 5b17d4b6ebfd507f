"""Who prints is known by the log it lands in."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest

from tether.actors.cell import Cell
from tether.actors.context import Acting, acting
from tether.runners.logs import ActorLog, Log, log_path, log_to_actors, log_what_fits


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    return [Cell(name, desk=None, device="cpu") for name in ("a/0", "b/0")]  # type: ignore[arg-type]


def says(cell: Cell, log: ActorLog, text: str) -> None:
    token = acting.set(Acting(cell))
    try:
        log.write(text)
    finally:
        acting.reset(token)


def test_each_actor_writes_to_its_own_log(tmp_path: Path, cells: list[Cell]) -> None:
    process = io.StringIO()
    log = ActorLog(tmp_path, process)

    for cell in cells:
        says(cell, log, f"I am {cell.name}\n")
    log.write("I am nobody\n")

    assert (tmp_path / "a-0.log").read_text() == "I am a/0\n"
    assert (tmp_path / "b-0.log").read_text() == "I am b/0\n"
    assert process.getvalue() == "I am nobody\n"


def test_a_flush_by_anybody_brings_half_lines_of_all_to_disk(
    tmp_path: Path, cells: list[Cell]
) -> None:
    log = ActorLog(tmp_path, io.StringIO())

    says(cells[0], log, "half a line")
    log.flush()

    assert log_path(tmp_path, "a/0").read_text() == "half a line"
    assert log.writable()


def test_a_process_of_one_actor_keeps_its_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)

    log_to_actors(tmp_path, ["a/0"])

    assert sys.stdout is out


def test_what_an_actor_logs_lands_in_its_log_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: list[Cell]
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)

    log_to_actors(tmp_path, ["a/0", "b/0"])
    token = acting.set(Acting(cells[1]))
    logging.getLogger().warning("the loss is high")
    acting.reset(token)

    assert log_path(tmp_path, "b/0").read_text() == "the loss is high\n"


def test_a_full_disk_is_no_error_to_who_prints() -> None:
    with open("/dev/full", "ab", buffering=0) as disk:  # noqa: PTH123 - a device
        log = Log(disk)

        print("one line", file=log)
        print("half a line", end="", file=log, flush=True)
        log.detach()


def test_what_a_process_prints_is_on_disk_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("ab", buffering=0) as file:
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, io.TextIOWrapper(file, write_through=True))
        before = sys.stdout, sys.stderr

        log_what_fits()
        print("half a line: ", end="")
        print("\ud800", file=sys.stderr)

        assert (tmp_path / "out").read_text() == "half a line: \\ud800\n"
        for stream in (sys.stdout, sys.stderr, *before):
            assert isinstance(stream, io.TextIOWrapper)
            stream.detach()
