"""Many seeds in several processes find what each finds alone, and leave no process behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.chaos.stage import until
from tests.runners.test_simulate import BROKEN, troubled, written
from tether.runners.findings import Findings
from tether.runners.simulate import Setting, play
from tether.runners.sweep import arguments, main, sweep

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    yield written(tmp_path)
    for name in ("sums", "sums_invariants"):
        sys.modules.pop(name, None)


async def swept(setting: Setting, seeds: Sequence[int], jobs: int) -> list[Findings]:
    """Return what the seeds find, in their order."""
    found = [findings async for findings in sweep(setting, seeds, jobs)]
    return sorted(found, key=lambda findings: findings.seed)


def lives(setting: Setting) -> list[int]:
    """Return the processes in which an endless actor has begun."""
    return [int(path.stem) for path in setting.wiring.parent.glob("*.lives")]


def test_the_command_line_of_a_process_says_all() -> None:
    setting = Setting(Path("a.toml"), ["w.tau=4", "-x"], Path("n.toml"), Path("f.toml"), 0.5)

    assert arguments(setting, [3, 5]) == [
        sys.executable, "-m", "tether.runners.sweep", "a.toml", "--network", "n.toml",
        "--faults", "f.toml", "--set=w.tau=4", "--set=-x", "--for", "0.5", "--seeds", "3,5",
    ]  # fmt: skip
    assert arguments(Setting(Path("a.toml")), [0])[3:] == [
        "a.toml", "--for", "3600.0", "--seeds", "0",
    ]  # fmt: skip


def test_a_process_prints_a_line_for_each_of_its_seeds_and_nothing_else(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = replace(troubled(setting), sets=["adder.steps=6"], duration=100.0)
    monkeypatch.setattr(sys, "argv", arguments(changed, [4, 2])[2:])

    main()

    said = capsys.readouterr()
    found = [Findings.from_json(json.loads(line)) for line in said.out.splitlines()]
    assert found == [play(changed, seed).findings for seed in (4, 2)]
    assert said.err == ""


@pytest.mark.parametrize("jobs", [1, 2, 5])
async def test_each_seed_finds_in_a_sweep_what_it_finds_alone(setting: Setting, jobs: int) -> None:
    changed = replace(troubled(setting), sets=["counter.most=68"])

    found = await swept(changed, range(3, 6), jobs)

    alone = await asyncio.to_thread(lambda: [play(changed, s).findings for s in range(3, 6)])
    assert found == alone
    assert {bool(findings.broken) for findings in found} == {False, True}


async def test_a_broken_promise_is_handed_on_with_its_sentence(setting: Setting) -> None:
    (found,) = await swept(replace(setting, sets=["counter.most=10"]), [1], 1)

    assert all(BROKEN in sentence for sentence in found.broken)
    assert found.broken


async def test_a_process_that_dies_is_told_with_its_code(setting: Setting) -> None:
    deadly = replace(setting, sets=["adder.actor=sums:Deadly"])

    with pytest.raises(RuntimeError) as caught:
        await swept(deadly, range(3), 2)

    assert str(caught.value) == "a process that played seeds exited with code 3"


async def test_a_process_that_is_killed_is_told_after_what_others_found(setting: Setting) -> None:
    endless = replace(setting, sets=["adder.actor=sums:Endless"], duration=1e9)
    told = asyncio.create_task(swept(endless, [1], 1))

    await asyncio.to_thread(until, lambda: bool(lives(setting)))
    os.kill(lives(setting)[0], signal.SIGKILL)

    with pytest.raises(RuntimeError, match="a process that played seeds exited with code -9"):
        await told


async def test_a_sweep_that_is_cancelled_leaves_no_process(setting: Setting) -> None:
    endless = replace(setting, sets=["adder.actor=sums:Endless"], duration=1e9)
    told = asyncio.create_task(swept(endless, range(8), 2))
    await asyncio.to_thread(until, lambda: len(lives(setting)) == 2)

    told.cancel()

    with pytest.raises(asyncio.CancelledError):
        await told
    assert not any(psutil.pid_exists(pid) for pid in lives(setting))


async def test_a_sweep_of_which_enough_is_known_leaves_no_process(setting: Setting) -> None:
    async with contextlib.aclosing(sweep(setting, range(1000), 2)) as told:
        first = await anext(told)

    assert first.seed in (0, 1)
    assert not psutil.Process().children()


async def test_what_fails_while_it_listens_leaves_no_process(setting: Setting) -> None:
    async def fails() -> float:
        async with contextlib.aclosing(sweep(setting, range(1000), 2)) as told:
            async for findings in told:
                return findings.seconds / 0
        return 0.0

    with pytest.raises(ZeroDivisionError):
        await fails()

    assert not psutil.Process().children()
