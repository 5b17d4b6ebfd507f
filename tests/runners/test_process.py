"""One process's share of a run, from its making to its final states."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tether.actors.errors import ActorGone
from tether.actors.frames import Origin
from tether.actors.journal import Key, Word
from tether.actors.ref import Ref
from tether.actors.report import report
from tether.actors.state import load
from tether.runners.folder import StateFolder
from tether.runners.linker import link
from tether.runners.process import OUTSIDE, Process, Restore, directory


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

    async def until(self, word: str, times: int = 1) -> list[Any]:
        async with asyncio.timeout(20):
            while len(self.of(word)) < times:
                self.more.clear()
                await self.more.wait()
        return self.of(word)[times - 1]


def process(tables: Mapping[str, Any], state: Path | None = None) -> tuple[Process, Told]:
    plan = link(tables, Path(), name="x", importable=False)
    places = directory(plan, dict.fromkeys(plan.processes(), OUTSIDE), OUTSIDE)
    told = Told()
    final = StateFolder(state) if state else None
    threads = max(spec.threads for spec in plan)
    origin = Origin("run", OUTSIDE, 1)
    return Process(origin, plan, places, told, final=final, threads=threads), told


async def built(share: Process, restore: Restore | None = None) -> list[str]:
    """Make all actors of a process; return their names."""
    names = list(share.specs)
    await share.build(names, restore or {}, by_itself=True)
    return names


PAIR = {"worker": {"actor": Worker, "center": "@center"}, "center": {"actor": Center}}


async def test_actors_are_made_live_and_leave_their_states_and_books(tmp_path: Path) -> None:
    share, told = process(PAIR, tmp_path)

    without = share.go(await built(share))
    ended = await told.until("ended")
    await share.close(1)

    assert without == ["center/0"]
    assert ended == ["worker/0", True]
    assert load((tmp_path / "center-0.safetensors").read_bytes()) == {"n": 2}
    assert StateFolder(tmp_path).names() == ["center-0.safetensors"]
    rows = dict(share.node.switch.journal.rows())
    assert rows[Key("worker/0", 1)][0] == 7
    assert rows[Key("worker/0", 1, "center/0", 1)][Word.SENT] == 1
    assert rows[Key("center/0", 1, "worker/0", 1)][Word.HANDLED] == 1


async def test_what_is_reported_is_told_as_plain_data() -> None:
    share, told = process(PAIR)
    share.go(await built(share))

    await told.until("ended")
    reports, sent, queues = told.of("news")[0]
    await share.close(1)

    ((t, actor, step, metrics),) = reports
    assert t >= 0
    assert (actor, step, metrics) == ("worker/0", 7, {"n": 2.0})
    assert type(step) is int
    assert sent["worker/0"][0] == 1
    assert queues == {}


async def test_a_life_that_raises_is_told_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    share, told = process({"odd": {"actor": Failing}})
    share.go(await built(share))

    name, why, trace = await told.until("crashed")
    alive = set(share.node.cells)
    await share.close(1)

    assert (name, why) == ("odd/0", "ValueError: no data")
    assert 'raise ValueError("no data")' in trace
    assert "odd/0: run() failed" in capsys.readouterr().err
    assert alive == set()


async def test_a_state_that_cannot_be_kept_is_told_and_the_others_are_kept(tmp_path: Path) -> None:
    share, told = process({"odd": {"actor": Failing}, **PAIR}, tmp_path)
    await built(share)

    await share.close(1)

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
    share.go(await built(share))

    await share.stop_life(services_only=services_only)
    await told.until("ended")
    seen = {name for name, _ in told.of("ended")}
    await share.close(1)

    assert seen == ended


async def test_a_process_is_quiet_while_nothing_is_under_way() -> None:
    share, _ = process(PAIR)
    await built(share)
    before = share.quiet

    asking = asyncio.ensure_future(share.node.ref("center/0").add(1))
    await asyncio.sleep(0)
    during = share.quiet
    await asking
    await share.close(1)

    assert (before, during) == (True, False)


async def test_a_process_computes_with_the_threads_of_its_most_demanding_actor() -> None:
    share, _ = process({"a": {"actor": Waiting}, "b": {"actor": Waiting, "threads": 2}})

    assert share.threads == 2


async def test_what_a_constructor_draws_does_not_depend_on_its_neighbours() -> None:
    tables = {"a": {"actor": Drawing}, "b": {"actor": Drawing}}
    both, _ = process(tables)
    await built(both)
    alone, _ = process({"b": {"actor": Drawing}})
    await built(alone)

    assert both.node.cells["b/0"].actor.drawn == alone.node.cells["b/0"].actor.drawn
    assert both.node.cells["a/0"].actor.drawn != both.node.cells["b/0"].actor.drawn
    await both.close(1)
    await alone.close(1)


class Mourner:
    """Lives on when who it asks has died, from where it was."""

    def __init__(self, dead: Ref[Center]) -> None:
        self.dead, self.t = dead, 0

    async def run(self) -> None:
        self.t += 1
        if self.t < 3:
            raise ExceptionGroup("both", [ActorGone("center/0 is gone: killed", "center/0")])


MOURNING = {"center": {"actor": Center}, "m": {"actor": Mourner, "dead": "@center"}}


async def test_a_life_that_anothers_death_has_ended_is_begun_again_where_it_was() -> None:
    share, told = process(MOURNING)
    share.go(await built(share))

    ended = await told.until("ended")
    actor = share.node.cells["m/0"].actor
    await share.close(1)

    assert ended == ["m/0", True]
    assert actor.t == 3
    assert [name for name, _, _ in told.of("bereaved")] == ["m/0", "m/0"]
    assert told.of("crashed") == []


async def test_who_waits_for_one_that_will_not_come_back_fails_by_itself() -> None:
    share, told = process(MOURNING)
    names = await built(share)
    share.node.down("center/0", "killed", {}, final=True)
    share.go(names)

    name, why, _ = await told.until("crashed")
    await share.close(1)

    assert (name, why) == ("m/0", "ExceptionGroup: both (1 sub-exception)")


class Brief:
    async def run(self) -> None:
        return


async def test_a_permanent_actor_whose_life_has_returned_is_to_be_started_again() -> None:
    share, told = process({"service": {"actor": Brief, "restart": "permanent"}})
    share.go(await built(share))

    name, why, _ = await told.until("crashed")
    await share.close(1)

    assert (name, why) == ("service/0", "its run() has returned, but it is permanent")


async def test_an_actor_that_cannot_be_made_is_not_left_running() -> None:
    share, _ = process(PAIR)

    with pytest.raises(TypeError, match="unexpected keyword"):
        share.make(replace(share.specs["center/0"], arguments={"tua": 1}), {}, by_itself=True)

    assert share.node.cells == {}
    await share.close(1)


class Drawing:
    def __init__(self) -> None:
        self.drawn = float(np.random.random())

    async def run(self) -> None: ...


class Forgetful(Center):
    def load_state_dict(self, state: dict[str, int]) -> None:
        raise ValueError("a state of another shape came")


async def test_an_actor_that_does_not_take_its_state_is_not_left_running() -> None:
    share, _ = process({"center": {"actor": Forgetful}})
    (name,) = await built(share)
    share.keeper.keep(share.node.cells[name], 1)
    await share.keeper.finish()
    await share.node.bury(name)

    with pytest.raises(ValueError, match="a state of another shape came"):
        share.make(share.specs[name], {name: None}, by_itself=True)

    assert share.node.cells == {}
    await share.close(2)
