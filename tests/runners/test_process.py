"""One process's share of a run, from its making to its final states."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.runners.shares import Share, names
from tether.actors.errors import ActorGone
from tether.actors.group import Group
from tether.actors.journal import Key
from tether.actors.ref import Ref
from tether.actors.report import report
from tether.actors.state import load
from tether.actors.storage import MemoryStorage


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


class Returning:
    async def run(self) -> None: ...


class Waiting:
    async def run(self) -> None:
        await asyncio.Event().wait()


class Reporting:
    """Reports while it is being made."""

    def __init__(self) -> None:
        report(step=3)

    async def run(self) -> None: ...


class Bereaved:
    """Has a life that what it is given ends, until it is given nothing."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.lives = 0

    async def run(self) -> None:
        self.lives += 1
        while self.errors:
            raise self.errors.pop(0)


class Grower:
    def __init__(self, others: Group[Waiting]) -> None:
        self.others = others

    async def grow(self, n: int) -> int:
        await self.others.resize(n)
        return len(self.others)


PAIR: dict[str, Any] = {
    "worker": {"actor": Worker, "center": "@center"},
    "center": {"actor": Center},
}
LIVE: dict[str, Any] = {
    "grower": {"actor": Grower, "others": "@w[*]"},
    "w": {"actor": Waiting, "count": {"start": 1, "min": 1, "max": 3}},
}


async def test_actors_are_made_live_and_leave_their_states_and_books() -> None:
    final = MemoryStorage()
    share = await Share(PAIR, final).begin()

    ended = await share.told.until("ended")
    await share.close()

    assert share.told.of("lives") == [[["worker/0", "center/0"], ["center/0"]]]
    assert ended == ["worker/0", True]
    assert final.names() == ["center-0.safetensors"]
    assert load(final.read("center-0.safetensors")) == {"n": 2}
    rows = dict(share.process.node.switch.journal.rows())
    assert rows[Key("worker/0", 1)][0] == 7
    assert rows[Key("worker/0", 1, "center/0", 1)][0] == 1


async def test_what_is_reported_is_told_as_plain_data() -> None:
    share = await Share(PAIR).begin()

    await share.told.until("ended")
    reports, _, _ = share.told.of("news")[0]
    await share.close()
    _, sent, _ = share.told.of("news")[-1]

    ((t, actor, step, metrics),) = reports
    assert t >= 0
    assert (actor, step, metrics) == ("worker/0", 7, {"n": 2.0})
    assert type(step) is int
    assert sent["worker/0"][0] == 1


async def test_a_step_reported_while_one_is_made_is_of_its_own_incarnation() -> None:
    share = await Share({"a": {"actor": Reporting}}).begin(incarnations={"a/0": 4})

    rows = dict(share.process.node.switch.journal.rows())
    await share.close()

    assert rows[Key("a/0", 4)][0] == 3
    assert Key("a/0", 1) not in rows


async def test_a_life_that_raises_is_told_with_its_traceback_when_its_actor_is_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    share = await Share({"odd": {"actor": Failing}}).begin()

    name, why, trace = await share.told.until("crashed")
    left = dict(share.process.node.cells)
    await share.close()

    assert (name, why, left) == ("odd/0", "ValueError: no data", {})
    assert 'raise ValueError("no data")' in trace
    assert "odd/0: run() failed" in capsys.readouterr().err


async def test_a_service_whose_life_returns_is_told_like_one_that_raises() -> None:
    share = await Share({"a": {"actor": Returning, "restart": "permanent"}}).begin()

    crashed = await share.told.until("crashed")
    await share.close()

    assert crashed == ["a/0", "its run() has returned, but it is permanent", ""]
    assert share.told.of("ended") == []


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_life_ended_by_anothers_death_goes_on_with_the_same_object(grouped: bool) -> None:
    share = await Share({"a": {"actor": Bereaved, "max_restarts": 0}, **PAIR}).begin()
    await share.told.until("ended", 2)
    actor = share.actor("a/0")
    gone: BaseException = ActorGone("center/0 is gone: killed", "center/0")
    actor.errors = [ExceptionGroup("two", [gone, gone]) if grouped else gone] * 2

    share.process.go(["a/0"])
    await share.told.until("ended", 3)
    await share.close()

    assert (share.told.of("crashed"), actor.lives) == ([], 4)
    assert names(share.told.of("bereaved")) == {"a/0"}
    delays = [delay for _, _, delay in share.told.of("bereaved")]
    assert len(delays) == 2
    assert all(0.02 <= delay <= 0.2 for delay in delays)


async def test_a_life_ended_by_one_who_is_gone_for_good_is_a_crash() -> None:
    share = await Share({"a": {"actor": Bereaved}, **PAIR}).begin()
    await share.told.until("ended", 2)
    share.actor("a/0").errors = [ActorGone("center/0 is gone: given up", "center/0")]

    await share.change(what="down", actor="center/0", why="given up", wills={}, final=True)
    share.process.go(["a/0"])
    name, why, _ = await share.told.until("crashed")
    await share.close()

    assert (name, why) == ("a/0", "ActorGone: center/0 is gone: given up")
    assert share.told.of("bereaved") == []


async def test_a_life_that_was_to_go_on_does_not_when_all_end() -> None:
    share = await Share({"a": {"actor": Bereaved}, **PAIR}).begin()
    await share.told.until("ended", 2)
    actor = share.actor("a/0")
    actor.errors = [ActorGone("center/0 is gone: killed", "center/0")]

    share.process.go(["a/0"])
    await share.told.until("bereaved")
    await share.close()
    await asyncio.sleep(0.1)

    assert actor.lives == 2


async def test_a_state_that_cannot_be_kept_is_told_and_the_others_are_kept() -> None:
    final = MemoryStorage()
    share = Share({"odd": {"actor": Failing}, **PAIR}, final)
    await share.process.build(["odd/0", "worker/0", "center/0"], {}, ())

    await share.close()

    assert share.told.of("unsaved") == [["odd/0", "RuntimeError: the state is half changed"]]
    assert final.names() == ["center-0.safetensors"]


@pytest.mark.parametrize(
    ("services_only", "ended"), [(True, {"service/0"}), (False, {"service/0", "worker/0"})]
)
async def test_lives_are_ended_those_of_services_last(services_only: bool, ended: set[str]) -> None:
    tables = {
        "service": {"actor": Waiting, "restart": "permanent"},
        "worker": {"actor": Waiting},
    }
    share = await Share(tables).begin()

    await share.process.stop_life(services_only=services_only)
    await share.told.until("ended")
    seen = names(share.told.of("ended"))
    await share.close()

    assert seen == ended
    assert share.told.of("crashed") == []


async def test_a_process_is_quiet_while_nothing_is_under_way() -> None:
    share = Share(PAIR)
    await share.process.build(["worker/0", "center/0"], {}, ())
    before = share.process.quiet

    asking = asyncio.ensure_future(share.process.node.ref("center/0").add(1))
    await asyncio.sleep(0)
    during = share.process.quiet
    await asking
    await share.close()

    assert (before, during) == (True, False)


async def test_a_process_learns_how_all_others_are_before_it_makes_its_own() -> None:
    share = Share(LIVE)

    share.process.enter(
        {
            "incarnations": {"grower/0": 2, "w/0": 3, "w/1": 1, "w/2": 1},
            "down": {"w/0": "killed"},
            "gone": {"w/1": "exited"},
            "off": ["w/2"],
            "present": ["grower/0", "w/0"],
        }
    )
    places = share.process.node.directory
    await share.close()

    assert places.place("w/0").incarnation == 3
    assert places.down == {"w/0": "killed"}
    assert places.gone == {"w/1": "exited", "w/2": "it takes no part at present"}
    assert share.process.membership.members("w") == ("w/0",)


async def test_a_live_group_asks_the_run_for_another_size() -> None:
    share = await Share(LIVE).begin()

    growing: Awaitable[int] = asyncio.ensure_future(share.process.node.ref("grower/0").grow(2))
    number, table, size = await share.told.until("resize")
    await share.change(what="joined", actor="w/1")
    await share.duties.obey("resized", number, "")
    grown = await growing
    await share.close()

    assert (table, size, grown) == ("w", 2, 2)


async def test_who_wants_a_size_that_cannot_be_is_told_why() -> None:
    share = await Share(LIVE).begin()

    growing: Awaitable[int] = asyncio.ensure_future(share.process.node.ref("grower/0").grow(9))
    number, _, _ = await share.told.until("resize")
    await share.duties.obey("resized", number, "[w] may have 1 to 3 actors")
    with pytest.raises(ValueError, match=r"\[w\] may have 1 to 3 actors"):
        await growing
    await share.duties.obey("resized", number, "too late")
    await share.close()


async def test_sizes_that_are_asked_for_at_once_are_told_apart() -> None:
    share = await Share(LIVE).begin()

    asking = [asyncio.ensure_future(share.process.resize("w", n)) for n in (1, 2, 3)]
    await share.told.until("resize", 3)
    for number, _, size in share.told.of("resize"):
        share.process.resized(number, f"size {size}")
    whys = [str(error) for error in await asyncio.gather(*asking, return_exceptions=True)]
    await share.close()

    assert whys == ["size 1", "size 2", "size 3"]


async def test_a_process_computes_with_one_thread_unless_it_is_given_more() -> None:
    share = Share({"a": {"actor": Waiting}})

    assert share.process.threads == 1
    await share.close()


async def test_an_actor_that_cannot_be_made_is_not_left_running() -> None:
    share = Share(PAIR)
    spec = replace(share.process.specs["center/0"], arguments={"tua": 1})

    with pytest.raises(TypeError, match="unexpected keyword"):
        share.process.make(spec, {}, by_itself=True)

    assert share.process.node.cells == {}
    await share.close()


async def test_what_a_constructor_draws_does_not_depend_on_its_neighbours() -> None:
    tables = {"a": {"actor": Drawing}, "b": {"actor": Drawing}}
    both = await Share(tables).begin()
    alone = await Share({"b": {"actor": Drawing}}).begin()

    assert both.actor("b/0").drawn == alone.actor("b/0").drawn
    assert both.actor("a/0").drawn != both.actor("b/0").drawn
    await both.close()
    await alone.close()


class Drawing:
    def __init__(self) -> None:
        self.drawn = float(np.random.random())

    async def run(self) -> None: ...
