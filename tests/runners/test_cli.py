"""What a user types, and what comes back: text and exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from tether.runners.cli import parsed_duration, run, shown

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
