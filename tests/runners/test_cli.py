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


def test_a_host_that_is_not_in_the_file_ends_with_2(
    wiring: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["up", wiring, "--host", "b"])

    assert code == 2
    assert "--host b: there is no such host; [hosts] has nothing" in capsys.readouterr().err


def test_other_hosts_are_started_by_home_alone(
    wiring: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(wiring).write_text(f'[hosts]\na = "127.0.0.1:5700"\nb = "127.0.0.2:5700"\n{WIRING}')

    code = run(["up", wiring, "--host", "b", "--ssh"])

    assert code == 2
    assert "--ssh is for home, which is a, but this is b" in " ".join(
        capsys.readouterr().err.replace("│", " ").split()
    )


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


def test_a_wiring_is_simulated_and_leaves_a_directory_that_can_be_drawn(
    wiring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path(wiring).open("a") as file:
        file.write('[reporter]\nactor = "players:Reporter"\n')
    run_at = str(tmp_path / "run")

    code = run(["simulate", wiring, "--seed", "4", "--set", "worker.steps=9", "--run", run_at])

    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    assert "wiring, seed 4: finished after" in said.out
    assert "all promises held" in said.out
    assert final_state(tmp_path / "run", "center") == {"n": 9}
    assert run(["plot", run_at]) == 0
    assert capsys.readouterr().out == f"{run_at}/plot.png\n"


def test_a_time_ends_a_simulation_that_would_go_on_for_ever(
    wiring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--set", "worker.steps=0", "--set", "worker.pause=0.1"]

    code = run(["simulate", wiring, *sets, "--for", "2s", "--run", str(tmp_path / "run")])

    assert code == 0
    said = capsys.readouterr().out
    assert "wiring, seed 0: stopped after 2." in said
    assert final_state(tmp_path / "run", "center")["n"] > 90


def test_many_seeds_are_simulated(wiring: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["simulate", wiring, "--seed", "5", "--seeds", "3", "--jobs", "2"])

    assert code == 0
    said = capsys.readouterr().out
    assert said.startswith("3 seeds: all promises held\n3 finished; ")
    assert "9 messages, 9 handled; faults: none; 0 restarts, 0 leaks\n" in said


@pytest.mark.parametrize("option", [["--run", "run"], ["--trace", "trace"]])
def test_a_directory_and_a_trace_are_of_one_seed(
    wiring: str,
    option: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    code = run(["simulate", wiring, "--seeds", "2", *option])

    assert code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "--run and --trace are for one seed; leave out --seeds" in said
    assert [path.name for path in Path().iterdir()] == ["wiring.toml"]


@pytest.mark.parametrize(
    ("option", "text", "problem"),
    [
        ("--faults", '[[crash]]\nactor = "wroker"', "(did you mean worker?)"),
        ("--faults", "[[crash]", "other.toml cannot be read"),
        ("--network", "latency = 1", "latency: there is no such key"),
        ("--set", "", "--set {file}: this is not of the form table.key=value"),
    ],
)
@pytest.mark.parametrize("seeds", ["1", "2"])
def test_what_is_wrong_for_a_simulation_ends_with_2_and_simulates_nothing(
    wiring: str,
    option: str,
    text: str,
    problem: str,
    seeds: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "other.toml"
    file.write_text(text)

    code = run(["simulate", wiring, "--seeds", seeds, option, str(file)])

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith("tether: ")
    assert problem.format(file=file) in said.err
    assert {path.name for path in Path().iterdir()} == {"wiring.toml", "other.toml"}


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [("--seeds", "0", "--seeds"), ("--jobs", "0", "--jobs"), ("--for", "soon", "is no time")],
)
def test_a_number_that_is_none_ends_a_simulation_with_2(
    wiring: str, option: str, value: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["simulate", wiring, option, value])

    assert code == 2
    assert problem in capsys.readouterr().err


def test_a_simulation_does_not_write_into_a_directory_that_holds_something(
    wiring: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["simulate", wiring, "--run", str(tmp_path)])

    assert code == 2
    assert "is not empty, but a run wants a folder of its own" in capsys.readouterr().err


def test_help_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["--help"])

    assert code == 0
    assert "a topology a wiring" in capsys.readouterr().out


def test_an_error_nobody_foresaw_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        shown(ZeroDivisionError("a bug"))
