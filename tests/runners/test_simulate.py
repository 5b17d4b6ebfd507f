"""One seed of a wiring in virtual time: what it is of, how it ends, and how it is played again."""

from __future__ import annotations

import io
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from tether.runners import virtual
from tether.runners.cli import run
from tether.runners.distribution import Distribution, fixed
from tether.runners.findings import Findings
from tether.runners.network import Network
from tether.runners.problems import WiringError
from tether.runners.simulate import Setting, play
from tether.runners.trace import Trace

SUMS = """
import asyncio
import os
import time
from pathlib import Path
from random import Random

from tether.actors import Ref, report


class Counter:
    def __init__(self, most: int = 1000) -> None:
        self.n, self.most = 0, most

    async def add(self, k: int) -> int:
        self.n += k
        print("the sum is", self.n)
        return self.n

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


class Adder:
    def __init__(self, counter: Ref[Counter], steps: int, seed: int, index: int) -> None:
        self.counter, self.steps, self.seed, self.index, self.t = counter, steps, seed, index, 0

    async def run(self) -> None:
        while self.t < self.steps:
            await asyncio.sleep(0.1)
            await self.counter.add(Random(f"{self.seed}/{self.t}").randrange(1, 7))
            self.t += 1
            report(step=self.t, loss=(1 + self.index) / self.t)

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


class Unbuildable(Adder):
    def __init__(self, counter: Ref[Counter], steps: int, seed: int, index: int) -> None:
        raise ValueError("tau is 0")


class Deadly(Adder):
    async def run(self) -> None:
        os._exit(3)


class Endless(Adder):
    async def run(self) -> None:
        Path(__file__).with_name(f"{os.getpid()}.lives").touch()
        while True:
            await asyncio.sleep(0.1)


class Restless(Adder):
    async def run(self) -> None:
        while True:
            await asyncio.sleep(0)
"""
INVARIANTS = """
class Bounded:
    def __init__(self, view):
        self.view = view

    def made(self, life, actor): ...

    def before(self, name, work): ...

    def after(self, name, work): ...

    def answered(self, call, answer): ...

    def check(self):
        for name, actor in self.view.actors.items():
            if getattr(actor, "n", 0) > getattr(actor, "most", 0):
                return f"{name} has come to {actor.n}, over {actor.most}"
        return ""


INVARIANTS = (Bounded,)
"""
WIRING = """# Two adders and what they add to

[run]
name       = "sums"
checkpoint = 0.25

[counter]
actor = "sums:Counter"
most  = 1000

[adder]
actor   = "sums:Adder"
count   = 2
counter = "@counter"
steps   = 10
seed    = "$seed"
index   = "$index"
"""
NETWORK = '[[link]]\nlatency = { uniform = ["1ms", "5ms"] }\n'
FAULTS = '[[crash]]\nactor = "adder"\nat = { uniform = ["0.4s", "0.8s"] }\n'
BROKEN = "Bounded: counter/0 has come to"


def written(folder: Path) -> Setting:
    """Write a wiring, its actors, a network and faults into a folder."""
    texts = {
        "sums.py": SUMS,
        "sums_invariants.py": INVARIANTS,
        "sums.toml": WIRING,
        "net.toml": NETWORK,
        "crash.toml": FAULTS,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return Setting(folder / "sums.toml")


def troubled(setting: Setting) -> Setting:
    """Return the same with its network and its faults."""
    folder = setting.wiring.parent
    return replace(setting, network=folder / "net.toml", faults=folder / "crash.toml")


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    yield written(tmp_path)
    for name in ("sums", "sums_invariants"):
        sys.modules.pop(name, None)


def test_a_plan_has_the_seed_and_all_of_it_runs_on_the_cpu(setting: Setting) -> None:
    on_gpu = ["adder.on='gpu0'", "adder.steps=7", "run.seed=5", "run.device=cuda"]

    plan = replace(setting, sets=on_gpu).plan(3)

    assert (plan.run.name, plan.run.seed, plan.run.device) == ("sums", 3, "cpu")
    assert {spec.device for spec in plan} == {"cpu"}
    assert plan.actor("adder/1").arguments["steps"] == 7
    assert plan.folder == setting.wiring.parent


def test_a_run_without_a_name_has_that_of_its_file(setting: Setting) -> None:
    setting.wiring.write_text(WIRING.replace('name       = "sums"', ""))

    assert setting.plan(0).run.name == "sums"


def test_without_files_the_network_is_the_usual_one_and_nothing_goes_wrong(
    setting: Setting,
) -> None:
    plan = setting.plan(0)

    assert setting.read_network(plan) == Network([])
    assert setting.read_faults(plan) == []


def test_the_network_and_the_faults_are_those_of_the_files(setting: Setting) -> None:
    plan = setting.plan(0)

    (rule,) = troubled(setting).read_network(plan).rules
    (fault,) = troubled(setting).read_faults(plan)

    assert rule.keys == {"latency": Distribution("uniform", (0.001, 0.005))}
    assert (fault.kind, fault.victims) == ("crash", (("adder/0",), ("adder/1",)))
    assert (fault.at, fault.lasts) == (Distribution("uniform", (0.4, 0.8)), fixed(0.0))


def test_times_beside_the_network_file_are_found(setting: Setting) -> None:
    folder = setting.wiring.parent
    (folder / "times").write_text("0.25\n")
    (folder / "net.toml").write_text('start = { trace = "times" }\n')

    network = troubled(setting).read_network(setting.plan(0))

    assert network.start.numbers == (0.25,)


@pytest.mark.parametrize(
    ("changed", "command"),
    [
        ({}, "tether simulate a.toml --seed 7"),
        ({"network": Path("n.toml")}, "tether simulate a.toml --seed 7 --network n.toml"),
        ({"faults": Path("f x.toml")}, "tether simulate a.toml --seed 7 --faults 'f x.toml'"),
        ({"duration": 90.0}, "tether simulate a.toml --seed 7 --for 90s"),
        ({"duration": 0.25}, "tether simulate a.toml --seed 7 --for 0.25s"),
        ({"duration": 1728000.0}, "tether simulate a.toml --seed 7 --for 1728000s"),
        ({"duration": 100000.5}, "tether simulate a.toml --seed 7 --for 100000.5s"),
        (
            {"sets": ["w.tau=4", "w.name='a b'"]},
            "tether simulate a.toml --seed 7 --set=w.tau=4 '--set=w.name='\"'\"'a b'\"'\"''",
        ),
    ],
)
def test_the_command_that_plays_a_seed_again_says_all_that_is_not_as_usual(
    changed: dict[str, Any], command: str
) -> None:
    assert replace(Setting(Path("a.toml")), **changed).command(7) == command


def test_a_seed_is_played_to_its_end(setting: Setting) -> None:
    played = play(setting, 1)

    assert (played.findings.outcome, played.findings.reason) == ("finished", "")
    assert played.findings.messages["sent"] == 20
    assert not played.findings.broken
    assert 1.0 < played.findings.seconds < 1.1
    assert played.began == pytest.approx(0.2, abs=0.01)
    assert played.result.seconds == played.findings.seconds


def test_the_same_seed_finds_the_same_and_another_one_does_not(setting: Setting) -> None:
    files = [io.StringIO() for _ in range(3)]

    found = [
        play(troubled(setting), seed, Trace(file)).findings
        for seed, file in zip((1, 1, 2), files, strict=True)
    ]

    digests = [blake2b(f.getvalue().encode(), digest_size=16).hexdigest() for f in files]
    assert [findings.trace for findings in found] == digests
    assert found[0] == found[1]
    assert found[0].trace != found[2].trace


def test_what_is_not_kept_changes_nothing_that_is_found(setting: Setting) -> None:
    kept = play(troubled(setting), 1)
    unkept = play(troubled(setting), 1, keeps=False)

    assert unkept.findings == kept.findings
    assert len(kept.simulation.tally.reports) >= 20
    assert unkept.simulation.tally.reports == []


def test_a_run_is_stopped_in_good_order_when_its_time_is_over(setting: Setting) -> None:
    played = play(replace(setting, duration=0.55), 1)

    assert played.findings.outcome == "stopped"
    assert played.findings.seconds == pytest.approx(0.55, abs=0.1)
    assert played.findings.messages["handled"] == played.findings.messages["sent"] == 10
    assert not played.findings.broken


def test_a_run_that_cannot_start_has_failed_with_its_reason(setting: Setting) -> None:
    played = play(replace(setting, sets=["adder.actor=sums:Unbuildable"]), 1)

    assert (played.findings.outcome, played.began) == ("failed", 0.0)
    assert "ValueError: tau is 0" in played.findings.reason


def test_a_promise_that_is_broken_is_found_with_its_moment(setting: Setting) -> None:
    findings = play(replace(setting, sets=["counter.most=10"]), 1).findings

    assert findings.outcome == "finished"
    assert all(BROKEN in sentence for sentence in findings.broken)
    assert findings.broken[0].startswith("at ")
    assert findings.broken[0].endswith(", over 10")


def test_a_time_that_does_not_move_ends_a_run_with_its_sentence(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual, "STILL", 20_000)

    with pytest.raises(virtual.Standstill, match=r"at 0\.2\d* s of virtual time, and it does not"):
        play(replace(setting, sets=["adder.actor=sums:Restless", "adder.count=1"]), 1)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("sums.toml", "[adder", "sums.toml cannot be read as TOML"),
        ("sums.toml", WIRING.replace("steps ", "stesp "), "stesp"),
        ("net.toml", "lnik = 1", "there is no such key (did you mean link?)"),
        ("net.toml", "[compute]\nnobody = 1", "there is no such actor, table or host"),
        ("crash.toml", "[[crahs]]", "there is no such kind of fault (did you mean crash?)"),
        ("crash.toml", "[[pause]]\nactor = 'adder'", "`for` is missing"),
    ],
)
def test_what_is_wrong_is_said_before_anything_begins(
    setting: Setting, file: str, text: str, problem: str
) -> None:
    (setting.wiring.parent / file).write_text(text)
    trace = Trace()

    with pytest.raises(WiringError) as caught:
        play(troubled(setting), 1, trace)

    assert problem in str(caught.value)
    assert trace.lines == 0


def test_a_file_that_is_not_there_is_said(setting: Setting) -> None:
    nowhere = setting.wiring.with_name("none.toml")

    for changed in (
        replace(setting, wiring=nowhere),
        replace(setting, network=nowhere),
        replace(setting, faults=nowhere),
    ):
        with pytest.raises(WiringError, match=r"none\.toml cannot be read"):
            play(changed, 1)


@pytest.mark.parametrize("sets", [(), ("counter.most=10", "run.name='a \"b\"'")])
def test_the_command_really_plays_a_seed_again(
    setting: Setting, sets: tuple[str, ...], tmp_path: Path
) -> None:
    before = replace(troubled(setting), sets=sets, duration=0.85)
    findings = play(before, 6).findings

    code = run([*shlex.split(before.command(6))[1:], "--run", str(tmp_path / "run")])

    again = json.loads((tmp_path / "run" / "simulation.json").read_text())
    assert Findings.from_json(again) == findings
    assert code == int(bool(sets))
    assert bool(findings.broken) is bool(sets)
    assert findings.faults == {"crash": 1}
