"""One process's share of a run, from its making to its final states."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tether.actors.ref import Ref
from tether.actors.report import report
from tether.actors.state import load
from tether.runners.folder import StateFolder
from tether.runners.linker import link
from tether.runners.process import OUTSIDE, Process, directory


class Center:
    def __init__(self) -> None:
        self.n = 0

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}


class Worker:
    def __init__(self, center: Ref[Center]) -> None:
        self.center = center

    async def run(self) -> None:
        report(step=np.int64(7), n=await self.center.add(2))  # type: ignore[arg-type]


class Failing:
    async def run(self) -> None:
        raise ValueError("no data")

    def state_dict(self) -> dict[str, int]:
        raise RuntimeError("the state is half changed")


class Waiting:
    async def run(self) -> None:
        await asyncio.Event().wait()


class Told:
    """What a process has told its run."""

    def __init__(self) -> None:
        self.words: list[list[Any]] = []
        self.more = asyncio.Event()

    def __call__(self, word: str, *details: Any) -> None:
        self.words.append([word, *details])
        self.more.set()

    def of(self, word: str) -> list[list[Any]]:
        return [details for said, *details in self.words if said == word]

    async def until(self, word: str) -> list[Any]:
        async with asyncio.timeout(20):
            while not self.of(word):
                self.more.clear()
                await self.more.wait()
        return self.of(word)[0]


def process(tables: Mapping[str, Any], state: Path | None = None) -> tuple[Process, Told]:
    plan = link(tables, Path(), name="x", importable=False)
    places = directory(plan, dict.fromkeys(plan.processes(), OUTSIDE), OUTSIDE)
    told = Told()
    storage = StateFolder(state) if state else None
    return Process(OUTSIDE, plan, plan.actors, places, "run", told, storage=storage), told


PAIR = {"worker": {"actor": Worker, "center": "@center"}, "center": {"actor": Center}}


async def test_actors_are_made_live_and_leave_their_states_and_books(tmp_path: Path) -> None:
    share, told = process(PAIR, tmp_path)

    await share.build()
    without = share.go()
    ended = await told.until("ended")
    records = await share.close()

    assert without == ["center/0"]
    assert ended == ["worker/0", "", ""]
    assert load((tmp_path / "center-0.safetensors").read_bytes()) == {"n": 2}
    assert StateFolder(tmp_path).names() == ["center-0.safetensors"]
    assert records["worker/0"]["steps"] == 7
    (account,) = records["worker/0"]["accounts"]
    assert (account["to"], account["sent"], account["handled"]) == ("center/0", 1, 1)


async def test_what_is_reported_is_told_as_plain_data() -> None:
    share, told = process(PAIR)
    await share.build()
    share.go()

    await told.until("ended")
    reports, sent = told.of("news")[0]
    await share.close()

    ((t, actor, step, metrics),) = reports
    assert t >= 0
    assert (actor, step, metrics) == ("worker/0", 7, {"n": 2.0})
    assert type(step) is int
    assert sent["worker/0"][0] == 1


async def test_a_life_that_raises_is_told_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    share, told = process({"odd": {"actor": Failing}})
    await share.build()
    share.go()

    name, why, trace = await told.until("ended")
    await share.close()

    assert (name, why) == ("odd/0", "ValueError: no data")
    assert 'raise ValueError("no data")' in trace
    assert "odd/0: run() failed" in capsys.readouterr().err


async def test_a_state_that_cannot_be_kept_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    share, told = process({"odd": {"actor": Failing}, **PAIR}, tmp_path)
    await share.build()

    await share.close()

    assert told.of("unsaved") == [["odd/0", "RuntimeError: the state is half changed"]]
    assert StateFolder(tmp_path).names() == ["center-0.safetensors"]


@pytest.mark.parametrize(
    ("services_only", "ended"), [(True, {"service/0"}), (False, {"service/0", "worker/0"})]
)
async def test_lives_are_ended_those_of_services_last(services_only: bool, ended: set[str]) -> None:
    tables = {
        "service": {"actor": Waiting, "restart": "permanent"},
        "worker": {"actor": Waiting},
    }
    share, told = process(tables)
    await share.build()
    share.go()

    await share.stop_life(services_only=services_only)
    await told.until("ended")
    seen = {name for name, _, _ in told.of("ended")}
    await share.close()

    assert seen == ended


async def test_a_process_is_quiet_while_nothing_is_under_way() -> None:
    share, _ = process(PAIR)
    await share.build()
    before = share.quiet

    asking = asyncio.ensure_future(share.node.ref("center/0").add(1))
    await asyncio.sleep(0)
    during = share.quiet
    await asking
    await share.close()

    assert (before, during) == (True, False)


async def test_a_process_computes_with_the_threads_of_its_most_demanding_actor() -> None:
    share, _ = process({"a": {"actor": Waiting}, "b": {"actor": Waiting, "threads": 2}})

    assert share.threads == 2


async def test_what_a_constructor_draws_does_not_depend_on_its_neighbours() -> None:
    tables = {"a": {"actor": Drawing}, "b": {"actor": Drawing}}
    both, _ = process(tables)
    await both.build()
    await both.close()
    alone, _ = process({"b": {"actor": Drawing}})
    await alone.build()
    await alone.close()

    assert both.node.cells["b/0"].actor.drawn == alone.node.cells["b/0"].actor.drawn
    assert both.node.cells["a/0"].actor.drawn != both.node.cells["b/0"].actor.drawn


class Drawing:
    def __init__(self) -> None:
        self.drawn = float(np.random.random())

    async def run(self) -> None: ...
