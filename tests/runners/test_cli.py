"""What a user types, and what comes back: text and exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer

from tether.actors.checkpoint import About, Checkpoints
from tether.runners.cli import parsed_duration, run, shown
from tether.runners.folder import RunFolder, final_state

WIRING = """
[center]
actor = "players:Center"

[worker]
actor  = "players:Worker"
center = "@center"
steps  = 3
"""


@pytest.fixture
def wiring(tmp_path: Path, players: Path) -> str:
    path = tmp_path / "wiring.toml"
    path.write_text(WIRING)
    return str(path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("60s", 60), ("1.5 m", 90), ("2h", 7200), ("1d", 86400), ("0.2s", 0.2)],
)
def test_a_time_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert parsed_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "5 parsecs", "1e3"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time; 90, 60s, 5m, 2h and 1d are"):
        parsed_duration(text)


def test_a_good_wiring_is_told_to_be_good(wiring: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["check", wiring])

    assert code == 0
    assert "wiring.toml: ok, 2 actors in 2 processes" in capsys.readouterr().out


def test_a_bad_wiring_is_told_on_the_error_stream(
    wiring: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["check", wiring, "--set", "worker.tua=5"])

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert "tua" in said.err


def test_a_topology_is_shown(wiring: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["show", wiring])

    assert code == 0
    said = capsys.readouterr().out
    assert "center" in said
    assert "worker" in said


def test_a_wiring_is_run_to_its_end(
    wiring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["up", wiring, "--run", str(tmp_path / "run"), "--for", "20s"])

    assert code == 0
    assert f"run directory {tmp_path / 'run'}" in capsys.readouterr().out
    assert (tmp_path / "run" / "summary.json").exists()


@pytest.fixture
def before(tmp_path: Path) -> RunFolder:
    """Return the folder of a run that has ended, in which the center had come to n = 5."""
    run = RunFolder.create("before", tmp_path / "before")
    (run.path / "plan.json").write_text("{}")
    about = About("center/0", "players:Center", 1, 3)
    Checkpoints(run.checkpoints).write(about, {"n": 5})
    return run


def test_a_run_is_resumed_from_what_another_has_kept(
    wiring: str, before: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["up", wiring, "--resume", str(before.path)])

    assert code == 0
    assert f"resumed from {before.path}, round 3" in capsys.readouterr().err
    assert final_state(before.path, "center") == {"n": 8}


def test_a_run_that_never_was_cannot_be_resumed(
    wiring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["up", wiring, "--resume", str(tmp_path / "none")])

    assert code == 2
    said = f"tether: {tmp_path / 'none'} is no run directory, so there is nothing to resume\n"
    assert capsys.readouterr().err == said


def test_a_run_that_goes_on_cannot_be_resumed(
    wiring: str, before: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before.write_agent()

    code = run(["up", wiring, "--resume", str(before.path)])

    assert code == 2
    said = f"tether: {before.path} is still run by process {os.getpid()}; stop it first\n"
    assert capsys.readouterr().err == said


def test_a_run_without_checkpoints_cannot_be_resumed(
    wiring: str, before: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before.checkpoints.remove("center-0.3.safetensors")

    code = run(["up", wiring, "--resume", str(before.path)])

    assert code == 2
    said = "tether: --resume: no actor of this wiring has a checkpoint; there is none\n"
    assert capsys.readouterr().err == said


def test_a_run_of_other_classes_cannot_be_resumed(
    wiring: str, before: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    about = About("center/0", "task:Server", 1, 3)
    Checkpoints(before.checkpoints).write(about, {"n": 5})

    code = run(["up", wiring, "--resume", str(before.path)])

    assert code == 2
    said = capsys.readouterr().err
    assert said == (
        "tether: --resume: checkpoints/center-0.3.safetensors: it is of task:Server, but center/0 "
        "is a players:Center\n"
    )


def test_a_time_that_is_none_ends_with_2(wiring: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["up", wiring, "--for", "soon"])

    assert code == 2
    assert "is no time" in capsys.readouterr().err


def test_a_run_that_is_none_cannot_be_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["stop", str(tmp_path / "none")])

    assert code == 2
    assert "is no run directory" in capsys.readouterr().err


def test_a_run_that_has_ended_is_stopped_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["stop", str(tmp_path)])

    assert code == 0
    assert "has ended already" in capsys.readouterr().out


def test_a_run_without_metrics_has_no_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["plot", str(tmp_path)])

    assert code == 2
    assert "metrics.jsonl" in capsys.readouterr().err


def test_help_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["--help"])

    assert code == 0
    assert "a topology a wiring" in capsys.readouterr().out


def test_an_error_nobody_foresaw_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        shown(ZeroDivisionError("a bug"))
