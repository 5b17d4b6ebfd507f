"""What `tether simulate` does and shows: exit codes, sentences, a directory, sums, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest

from tests.chaos.stage import until
from tests.runners.test_simulate import troubled, written
from tether.runners.cli import run
from tether.runners.folder import final_state
from tether.runners.problems import WiringError
from tether.runners.simulate import Setting, play
from tether.runners.simulating import simulate, simulate_all
from tether.runners.virtual import Standstill

pytestmark = pytest.mark.timeout(120)
Said = pytest.CaptureFixture[str]


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    """A wiring in a folder, and another folder that all is run from."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield written(tmp_path)
    for name in ("sums", "sums_invariants"):
        sys.modules.pop(name, None)


def test_a_run_that_holds_all_promises_ends_with_0(setting: Setting, capsys: Said) -> None:
    code = simulate(setting, 1, Path("run"), None)

    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    assert re.match(r"sums, seed 1: finished after 1\.0\d+ s of virtual time\n", said.out)
    assert "messages: 20 sent = 20 handled\n" in said.out
    assert f"run directory {Path('run').absolute()}\nall promises held\n" in said.out
    assert re.search(r"\n\d+\.\d s of real time\n$", said.out)
    assert "trace:" not in said.out


def test_a_run_leaves_its_directory_with_a_timeline_and_what_was_printed(setting: Setting) -> None:
    simulate(troubled(setting), 1, Path("run"), None)

    names = {str(p.relative_to("run")) for p in Path("run").rglob("*") if p.is_file()}
    assert names == {
        "faults.toml",
        "logs/all.log",
        "metrics.jsonl",
        "network.toml",
        "plan.json",
        "simulation.json",
        "state/adder-0.safetensors",
        "state/adder-1.safetensors",
        "state/counter-0.safetensors",
        "summary.json",
        "timeline.png",
        "wiring.toml",
    }
    lines = Path("run/logs/all.log").read_text().splitlines()
    assert lines[-1] == f"the sum is {final_state(Path('run'), 'counter')['n']}"
    assert Path("run/timeline.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_a_directory_gets_one_named_by_its_seed(
    setting: Setting, capsys: Said
) -> None:
    simulate(setting, 7, None, None)

    (run,) = Path("runs").iterdir()
    assert re.fullmatch(r"sums-seed7-\d{8}-\d{6}", run.name)
    assert f"run directory {run.absolute()}\n" in capsys.readouterr().out


def test_a_trace_is_written_and_its_digest_told(setting: Setting, capsys: Said) -> None:
    simulate(troubled(setting), 1, Path("run"), Path("trace"))

    data = Path("trace").read_bytes()
    digest = blake2b(data, digest_size=16).hexdigest()
    assert f"trace: {digest}\n" in capsys.readouterr().out
    assert json.loads(Path("run/simulation.json").read_text())["trace"] == digest
    assert re.search(rb"^0\.\d+ frame adder-0 counter-0 ", data, re.MULTILINE)
    assert re.search(rb"^0\.\d+ crash adder/[01] $", data, re.MULTILINE)


def test_a_broken_promise_ends_with_1_and_with_what_plays_it_again(
    setting: Setting, capsys: Said
) -> None:
    broken = replace(setting, sets=["counter.most=10"])

    code = simulate(broken, 1, Path("run"), None)

    said = capsys.readouterr()
    *sentences, again = said.err.splitlines()
    assert code == 1
    assert sentences == [f"broken {sentence}" for sentence in play(broken, 1).findings.broken]
    assert (
        again == f"play it again: tether simulate {setting.wiring} --seed 1 --set=counter.most=10"
    )
    assert "all promises held" not in said.out


def test_what_plays_it_again_says_the_same(setting: Setting, capsys: Said) -> None:
    simulate(replace(troubled(setting), sets=["counter.most=10"]), 1, Path("run"), None)
    before = capsys.readouterr().err
    command = before.partition("play it again: tether ")[2]

    code = run(shlex.split(command))

    assert (code, capsys.readouterr().err) == (1, before)


def test_a_run_that_gave_somebody_up_ends_with_1_though_all_promises_held(
    setting: Setting, capsys: Said
) -> None:
    code = simulate(replace(troubled(setting), sets=["adder.max_restarts=0"]), 1, Path("run"), None)

    said = capsys.readouterr()
    assert (code, said.err) == (1, "")
    assert "sums, seed 1: failed after" in said.out
    assert "restarts: 0, 1 given up; 0 messages rolled back" in said.out
    assert "all promises held" in said.out


def test_without_matplotlib_there_is_no_timeline_and_all_else(
    setting: Setting, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    code = simulate(setting, 1, Path("run"), None)

    assert code == 0
    assert capsys.readouterr().err == (
        "no timeline: a plot is drawn by matplotlib, which is not installed: "
        "pip install 'tether[plot]'\n"
    )
    assert not Path("run/timeline.png").exists()
    assert Path("run/summary.json").exists()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sums.toml", "[adder]\nactor = 'sums:Addre'"),
        ("net.toml", "[compute]\nnobody = 1"),
        ("crash.toml", "[[crash]]\nactor = 'nobody'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_left(
    setting: Setting, file: str, text: str
) -> None:
    setting.wiring.with_name(file).write_text(text)

    with pytest.raises(WiringError):
        simulate(troubled(setting), 1, Path("run"), Path("trace"))
    with pytest.raises(WiringError):
        simulate_all(troubled(setting), 1, 3, 2)

    assert list(Path().iterdir()) == []


def test_a_run_that_stands_still_keeps_what_was_printed(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tether.runners.virtual.STILL", 20_000)
    module = setting.wiring.with_name("sums.py")
    module.write_text(
        module.read_text().replace("while True", "print('spins')\n        while True")
    )

    with pytest.raises(Standstill):
        simulate(replace(setting, sets=["adder.actor=sums:Restless"]), 1, Path("run"), None)

    assert Path("run/logs/all.log").read_text() == "spins\n"


def test_many_seeds_that_hold_are_added_up_and_end_with_0(setting: Setting, capsys: Said) -> None:
    code = simulate_all(troubled(setting), 3, 4, 2)

    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    assert re.fullmatch(
        r"4 seeds: all promises held\n"
        r"4 finished; \d+ s of virtual time in [\d.]+ s\n"
        r"8\d messages, 8\d handled; faults: 4 × crash; 4 restarts, 0 leaks\n",
        said.out,
    )
    assert list(Path().iterdir()) == []


def test_each_seed_that_breaks_a_promise_is_told_and_many_end_with_1(
    setting: Setting, capsys: Said
) -> None:
    some = replace(setting, sets=["counter.most=68"])
    broken = {seed: list(play(some, seed).findings.broken) for seed in range(3, 6)}
    capsys.readouterr()

    code = simulate_all(some, 3, 3, 2)

    said = capsys.readouterr()
    told = [
        line
        for seed, sentences in broken.items()
        if sentences
        for line in (
            *(f"seed {seed}: broken {sentence}" for sentence in sentences),
            f"play it again: {some.command(seed)}",
        )
    ]
    count = sum(map(bool, broken.values()))
    assert code == 1
    assert sorted(said.err.splitlines()) == sorted(told)
    assert 0 < count < 3
    assert f"3 seeds: {count} broke a promise\n" in said.out


def test_how_far_many_seeds_have_come_is_told_at_every_hundred(
    setting: Setting, capsys: Said
) -> None:
    simulate_all(replace(setting, sets=["adder.steps=1", "adder.count=1"]), 0, 201, 2)

    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["100 of 201 seeds, 0 broken", "200 of 201 seeds, 0 broken"]
    assert lines[2] == "201 seeds: all promises held"


def test_a_process_that_dies_fails_the_whole_sweep(setting: Setting) -> None:
    with pytest.raises(RuntimeError, match="a process that played seeds exited with code 3"):
        simulate_all(replace(setting, sets=["adder.actor=sums:Deadly"]), 0, 2, 2)


@pytest.mark.parametrize("seeds", ["1", "8"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_simulation_quietly_and_leaves_no_process(
    setting: Setting, seeds: str, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "tether.runners", "simulate", str(setting.wiring)]
    more = ["--set=adder.actor=sums:Endless", "--for=9999d", "--seeds", seeds, "--jobs=2"]
    lives = min(int(seeds), 2)
    process = subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )

    until(lambda: len(list(setting.wiring.parent.glob("*.lives"))) == lives)
    os.killpg(process.pid, number)  # as a terminal does
    out, err = process.communicate()

    assert (process.returncode, out, err) == (130, b"", b"")
