"""What one simulation leaves in its directory, and that all of it is the same for the same seed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.runners.test_simulate import FAULTS, NETWORK, WIRING, troubled, written
from tether.runners.findings import Findings
from tether.runners.folder import RunFolder, final_state
from tether.runners.plot import plot
from tether.runners.simulate import Played, Setting, play
from tether.runners.simulation_folder import keep
from tether.runners.spec import Plan
from tether.runners.summary import read_summary


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    yield written(tmp_path)
    for name in ("sums", "sums_invariants"):
        sys.modules.pop(name, None)


def kept(setting: Setting, seed: int, path: Path) -> Played:
    """Simulate a seed and keep all of it in a folder."""
    played = play(setting, seed)
    keep(played, setting, RunFolder.create("sums", path))
    return played


def files(run: Path) -> dict[str, bytes]:
    """Return what the files of a run hold."""
    found = [path for path in run.rglob("*") if path.is_file()]
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


def test_a_simulation_leaves_all_that_tells_of_it(setting: Setting, tmp_path: Path) -> None:
    kept(troubled(setting), 1, tmp_path / "run")

    assert set(files(tmp_path / "run")) == {
        "faults.toml",
        "metrics.jsonl",
        "network.toml",
        "plan.json",
        "simulation.json",
        "state/adder-0.safetensors",
        "state/adder-1.safetensors",
        "state/counter-0.safetensors",
        "summary.json",
        "wiring.toml",
    }


def test_the_same_seed_leaves_the_same_bytes(setting: Setting, tmp_path: Path) -> None:
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        kept(troubled(setting), seed, tmp_path / name)

    first, second, third = (files(tmp_path / name) for name in "abc")
    assert first == second
    same = {name for name in first if first[name] == third[name]}
    assert {"wiring.toml", "network.toml", "faults.toml"} <= same
    assert not {"metrics.jsonl", "plan.json", "simulation.json", "summary.json"} & same


def test_the_files_are_kept_as_they_are_with_what_was_set(setting: Setting, tmp_path: Path) -> None:
    sets = ["adder.steps=5", "run.name='a b'"]

    kept(replace(troubled(setting), sets=sets), 1, tmp_path / "run")

    left = files(tmp_path / "run")
    head = "# run with --set adder.steps=5\n# run with --set run.name='a b'\n"
    assert left["wiring.toml"].decode() == head + WIRING
    assert left["network.toml"].decode() == NETWORK
    assert left["faults.toml"].decode() == FAULTS


def test_a_calm_simulation_has_no_files_of_a_network_and_faults(
    setting: Setting, tmp_path: Path
) -> None:
    kept(setting, 1, tmp_path / "run")

    assert not {"network.toml", "faults.toml"} & set(files(tmp_path / "run"))


def test_each_report_is_a_line(setting: Setting, tmp_path: Path) -> None:
    played = kept(setting, 1, tmp_path / "run")

    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["step"] for row in rows if row["actor"] == "adder/1"] == [*range(1, 11)]
    assert [row["loss"] for row in rows if row["actor"] == "adder/1"][:2] == [2.0, 1.0]
    times = [report.t for report in played.simulation.tally.reports]
    assert [row["t"] for row in rows] == pytest.approx(times, abs=1e-6)
    assert 0.1 < rows[0]["t"] <= rows[-1]["t"] <= played.result.seconds


def test_final_states_can_be_read(setting: Setting, tmp_path: Path) -> None:
    run = tmp_path / "run"
    played = kept(setting, 1, run)

    seeds = [spec.seed for spec in played.simulation.plan.table("adder")]
    drawn = [Random(f"{seed}/{t}").randrange(1, 7) for seed in seeds for t in range(10)]
    assert [final_state(run, f"adder/{k}") for k in range(2)] == [{"t": 10}, {"t": 10}]
    assert final_state(run, "counter") == {"n": sum(drawn)}


def test_the_summary_has_what_befell_the_run(setting: Setting, tmp_path: Path) -> None:
    played = kept(troubled(setting), 1, tmp_path / "run")

    summary = read_summary(tmp_path / "run")
    assert (summary.outcome, summary.reason) == ("finished", "")
    assert summary.seconds == played.findings.seconds
    assert list(summary.restarts) == played.simulation.tally.restarts
    assert summary.traffic.sent == played.findings.messages["sent"]
    assert (summary.unaccounted, summary.accuracy) == (0, None)
    assert {actor.name for actor in summary.actors} == {"adder/0", "adder/1", "counter/0"}


def test_the_summary_of_a_run_that_failed_has_the_reason(setting: Setting, tmp_path: Path) -> None:
    kept(replace(troubled(setting), sets=["adder.max_restarts=0"]), 1, tmp_path / "run")

    summary = read_summary(tmp_path / "run")
    assert summary.outcome == "failed"
    assert "was given up" in summary.reason
    assert len(summary.gave_up) == 1


def test_the_last_accuracy_is_that_of_the_summary(setting: Setting, tmp_path: Path) -> None:
    module = setting.wiring.with_name("sums.py")
    module.write_text(module.read_text().replace("report(step=self.t, loss", "report(accuracy"))

    kept(setting, 1, tmp_path / "run")

    assert read_summary(tmp_path / "run").accuracy in (0.1, 0.2)


def test_what_was_found_and_the_plan_can_be_read_back(setting: Setting, tmp_path: Path) -> None:
    played = kept(troubled(setting), 1, tmp_path / "run")

    found = json.loads((tmp_path / "run" / "simulation.json").read_text())
    plan = Plan.from_wire(json.loads((tmp_path / "run" / "plan.json").read_text()))
    assert Findings.from_json(found) == played.findings
    assert [spec.name for spec in plan] == ["counter/0", "adder/0", "adder/1"]
    assert plan.run.seed == 1


def test_a_simulation_can_be_drawn_by_plot(setting: Setting, tmp_path: Path) -> None:
    kept(setting, 1, tmp_path / "run")

    path = plot(tmp_path / "run")

    assert path == tmp_path / "run" / "plot.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_plot_of_a_simulation_bears_the_title_of_its_wiring(
    setting: Setting, tmp_path: Path
) -> None:
    faults = setting.wiring.with_name("crash.toml")
    faults.write_text(f"# An adder dies\n{FAULTS}")

    kept(troubled(setting), 1, tmp_path / "run")

    assert title(tmp_path / "run") == "Two adders and what they add to"


def title(run: Path) -> str:
    from tether.runners.plot import _title

    return _title(run)
