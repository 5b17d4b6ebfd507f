"""What a process does at its agent's word, and how it answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runners.shares import Share
from tether.actors.errors import ActorGone
from tether.actors.group import Group
from tether.actors.ref import Ref
from tether.actors.report import report
from tether.actors.state import load
from tether.actors.storage import MemoryStorage


class Center:
    """Is told of others, and takes its time."""

    def __init__(self, workers: Group[Any]) -> None:
        self.workers = workers
        self.n = 0
        self.told: list[tuple[str, str]] = []
        self.gate = asyncio.Event()

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    async def wait(self) -> int:
        await self.gate.wait()
        return self.n

    async def joined(self, peer: Ref[Any]) -> None:
        self.told.append(("joined", repr(peer)))

    async def left(self, peer: Ref[Any]) -> None:
        self.told.append(("left", repr(peer)))

    async def down(self, peer: Ref[Any], why: Exception) -> None:
        self.told.append((type(why).__name__, repr(peer)))

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if state["n"] < 0:
            raise ValueError("the center was never negative")
        self.n = state["n"]


class Worker:
    """Reports a step whenever it is let."""

    def __init__(self, center: Ref[Center], tau: int = 1) -> None:
        if tau == 0:
            raise ValueError("tau is 0")
        self.center = center
        self.t = 0
        self.gate = asyncio.Event()
        self.met: list[str] = []

    async def run(self) -> None:
        while True:
            await self.gate.wait()
            await self.center.add(1)
            self.t += 1
            report(step=self.t)

    async def joined(self, peer: Ref[Any]) -> None:
        self.met.append(repr(peer))

    async def ask(self) -> int:
        return self.t

    def state_dict(self) -> dict[str, int]:
        return {"t": self.t}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.t = state["t"]


class Stranger:
    """Holds no group of workers."""

    def __init__(self) -> None:
        self.met: list[str] = []

    async def look(self) -> list[str]:
        return self.met

    async def joined(self, peer: Ref[Any]) -> None:
        self.met.append(repr(peer))


TABLES: dict[str, Any] = {
    "center": {"actor": Center, "workers": "@worker[*]"},
    "worker": {"actor": Worker, "center": "@center", "count": {"start": 2, "min": 1, "max": 3}},
    "stranger": {"actor": Stranger},
}


async def begun(final: MemoryStorage | None = None, **run: float) -> Share:
    return await Share({"run": run, **TABLES}, final).begin()


async def test_who_joins_is_counted_and_told_to_its_table_and_to_who_holds_a_group_of_it() -> None:
    share = await begun()

    await share.duties.obey("spawn", "worker/2", 1, {})
    await share.change(what="up", actor="worker/2", incarnation=1)
    await share.change(what="joined", actor="worker/2")
    await share.until(lambda: bool(share.actor("center/0").told))
    members = len(share.actor("center/0").workers)
    met = [share.actor(name).met for name in ("worker/0", "worker/2", "stranger/0")]
    await share.close()

    assert share.told.of("made") == [["worker/2"]]
    assert members == 3
    assert share.process.membership.members("worker") == ("worker/0", "worker/1", "worker/2")
    assert met == [["<Ref worker/2>"], [], []]


async def test_who_leaves_is_told_to_who_holds_a_group_of_its_table() -> None:
    share = await begun()
    center = share.actor("center/0")

    await share.change(what="left", actor="worker/1")
    await share.until(lambda: bool(center.told))
    members = [repr(worker) for worker in center.workers]
    await share.close()

    assert center.told == [("left", "<Ref worker/1>")]
    assert members == ["<Ref worker/0>"]


class Busy(Worker):
    """Takes its time over a message."""

    def __init__(self, center: Ref[Center]) -> None:
        super().__init__(center)
        self.done = asyncio.Event()

    async def wait(self) -> None:
        await self.done.wait()


@pytest.mark.parametrize("patient", [True, False])
async def test_that_somebody_leaves_is_noted_when_it_has_handled_what_was_sent_to_it(
    patient: bool,
) -> None:
    tables = {**TABLES, "worker": {**TABLES["worker"], "actor": Busy}}
    share = await Share({"run": {"drain": 2.0 if patient else 0.05}, **tables}).begin()
    asked = asyncio.ensure_future(share.process.node.ref("worker/1").wait())
    await share.until(lambda: not share.process.node.quiet)

    await share.change(what="left", actor="worker/1")
    await share.duties.obey("note", 3)
    early = share.told.of("noted")
    if patient:
        share.actor("worker/1").done.set()
    await share.told.until("noted")
    share.actor("worker/1").done.set()
    await asked
    await share.close()

    assert (early, share.told.of("noted")) == ([], [[3]])


async def test_who_is_to_leave_ends_where_a_step_ends_and_its_state_is_kept() -> None:
    final = MemoryStorage()
    share = await begun(final)
    worker = share.actor("worker/1")

    await share.duties.obey("leave", "worker/1")
    worker.gate.set()
    await share.told.until("departed")
    state = load(final.read("worker-1.safetensors"))
    left, ended = set(share.process.node.cells), share.told.of("ended")
    exchanged = share.actor("center/0").n
    await share.close()

    assert (state, exchanged) == ({"t": 1}, 1)
    assert left == {"center/0", "worker/0", "stranger/0"}
    assert ended == [["worker/1", False]]
    assert share.told.of("crashed") == []


async def test_who_is_to_leave_first_handles_what_was_sent_to_it() -> None:
    share = await begun(graceful=0.1, drain=0.05)
    asked = asyncio.ensure_future(share.process.node.ref("worker/1").ask())
    await asyncio.sleep(0)

    await share.duties.obey("leave", "worker/1")
    answer = await asked
    await share.told.until("departed")
    await share.close()

    assert answer == 0


class Heir(Worker):
    """Gives the center, when it leaves, what it was given; there may be more meanwhile."""

    def __init__(self, center: Ref[Center], tau: int = 1) -> None:
        super().__init__(center, tau)
        self.coins = 0

    async def give(self, coins: int) -> None:
        self.coins += coins

    async def leaving(self) -> None:
        while self.coins:
            self.coins -= 1
            await self.center.add(1)


async def test_who_is_to_leave_hands_over_what_it_has_and_what_comes_while_it_does() -> None:
    tables = {
        "run": {"graceful": 0.5, "drain": 0.4},
        **TABLES,
        "worker": {**TABLES["worker"], "actor": Heir},
    }
    share = await Share(tables).begin()
    heir, center = share.process.node.ref("worker/1"), share.actor("center/0")
    await heir.give(3)

    await share.duties.obey("leave", "worker/1")
    await share.until(lambda: center.n > 0)
    await heir.give(2)
    await share.told.until("departed")
    n = center.n
    await share.close()

    assert n == 5


async def test_who_fails_to_hand_over_what_it_has_leaves_all_the_same() -> None:
    tables = {
        "run": {"graceful": 0.5, "drain": 0.4},
        **TABLES,
        "worker": {**TABLES["worker"], "actor": Heir},
    }
    share = await Share(tables).begin()
    share.actor("worker/1").coins = "many"

    await share.duties.obey("leave", "worker/1")
    departed = await share.told.until("departed")
    await share.close()

    assert departed == ["worker/1"]


async def test_the_checkpoints_of_who_leaves_are_not_gone_on_from() -> None:
    share = await begun(graceful=0.1, drain=0.05)
    await share.duties.obey("round", 1)
    await share.duties.obey("end_round", 1)
    share.actor("worker/1").gate.set()
    share.actor("worker/0").gate.set()
    await share.until(lambda: ["worker/1", 1] in share.told.of("kept"))
    before = share.checkpoints.names()

    await share.duties.obey("leave", "worker/1")
    await share.told.until("departed")
    after = share.checkpoints.names()
    await share.close()

    assert "worker-1.1.safetensors" in before
    assert [name for name in after if name.startswith("worker-1")] == []


async def test_who_has_died_before_it_is_told_to_leave_has_left() -> None:
    share = await begun()
    await share.process.node.bury("worker/1")

    await share.duties.obey("leave", "worker/1")
    await asyncio.sleep(0.01)
    await share.close()

    assert share.told.of("departed") == []


async def test_who_dies_while_it_leaves_is_told_once() -> None:
    share = await begun()
    cell = share.process.node.cells["worker/1"]

    await share.duties.obey("leave", "worker/1")
    await share.until(lambda: cell._leaving)
    share.actor("worker/1").center = None
    share.actor("worker/1").gate.set()
    name, why, _ = await share.told.until("crashed")
    await asyncio.sleep(0.05)
    await share.close()

    assert name == "worker/1"
    assert why.startswith("AttributeError: ")
    assert share.told.of("departed") == []


async def test_who_is_made_again_here_begins_where_its_checkpoint_was() -> None:
    share = await begun()
    share.actor("center/0").n = 5
    await share.duties.obey("end_round", 1)
    await share.until(lambda: ["center/0", 1] in share.told.of("kept"))
    share.actor("center/0").n = 9
    await share.process.node.bury("center/0")
    await share.change(what="down", actor="center/0", why="it failed", wills={}, final=False)

    await share.duties.obey("spawn", "center/0", 2, {"center/0": None})
    await share.change(what="up", actor="center/0", incarnation=2)
    n = await share.process.node.ref("center/0").add(0)
    incarnation = share.process.node.cells["center/0"].incarnation
    await share.close()

    assert (n, incarnation) == (5, 2)
    ((actor, file, of, step, _),) = share.told.of("restored")
    assert (actor, file, of, step) == ("center/0", "center-0.1.safetensors", 1, 0)


async def test_who_cannot_be_brought_back_is_not_left_half_made() -> None:
    share = await begun()
    share.actor("center/0").n = -1
    await share.duties.obey("end_round", 1)
    await share.until(lambda: ["center/0", 1] in share.told.of("kept"))
    await share.process.node.bury("center/0")
    await share.change(what="down", actor="center/0", why="it failed", wills={}, final=False)
    asked = asyncio.ensure_future(share.process.node.ref("center/0").add(1))

    await share.duties.obey("spawn", "center/0", 2, {"center/0": None})
    unmade = share.told.of("unmade")
    left, waits = "center/0" in share.process.node.cells, not asked.done()
    await share.change(what="down", actor="center/0", why="given up", wills={}, final=True)
    with pytest.raises(ActorGone, match="given up"):
        await asked
    await share.close()

    assert unmade == [["center/0", "ValueError: the center was never negative"]]
    assert (left, waits) == (False, True)


async def test_who_cannot_be_made_takes_no_part_as_before() -> None:
    tables = {**TABLES, "worker": {**TABLES["worker"], "tau": 0}}
    share = await Share(tables).begin("center/0")

    await share.duties.obey("spawn", "worker/2", 1, {})
    with pytest.raises(ActorGone, match="it takes no part at present"):
        await share.process.node.ref("worker/2").ask()
    await share.close()

    ((actor, why),) = share.told.of("unmade")
    assert actor == "worker/2"
    assert why.startswith("ValueError: tau is 0")


async def test_silence_and_death_are_told_to_who_has_a_method_for_it() -> None:
    share = await begun(graceful=0.1, drain=0.05)
    center = share.actor("center/0")
    share.actor("worker/0").gate.set()
    await share.until(lambda: center.n > 0)

    await share.change(what="unreachable", actor="worker/0", why="nothing was heard")
    silent = dict(share.process.node.directory.unreachable)
    await share.change(what="reachable", actor="worker/0", why="")
    await share.process.node.bury("worker/0")
    await share.change(what="down", actor="worker/0", why="killed", wills=None, final=False)
    await share.until(lambda: len(center.told) == 2)
    after = dict(share.process.node.directory.unreachable)
    await share.close()

    assert silent == {"worker/0": "nothing was heard"}
    assert center.told == [("Unreachable", "<Ref worker/0>"), ("ActorGone", "<Ref worker/0>")]
    assert after == {}


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (["note", 3], ["noted", 3]),
        (["quiet"], ["quiet", True]),
        (["stop_life", True], ["stopped_life"]),
        (["round", 4], ["taking", 4, ["worker/0", "worker/1"]]),
        (["end_round", 4], ["taking", 4, ["center/0"]]),
        (["close", 0], ["closed"]),
    ],
)
async def test_an_order_is_answered(order: list[Any], answer: list[Any]) -> None:
    share = await begun()

    await share.duties.obey(*order)

    assert share.told.words[-1] == answer
    if order[0] != "close":
        await share.close()


async def test_a_process_that_was_started_anew_is_not_renewed_to_itself() -> None:
    share = await begun()

    await share.change(what="renewed", process="world")

    await share.close()
