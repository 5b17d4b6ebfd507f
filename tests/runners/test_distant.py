"""A process of another host, as home sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tether.actors.journal import WORDS, Key
from tether.runners.distant import Distant
from tether.runners.host import Host


class Line:
    offset = 100.0


class Trunk:
    """Remembers what is said to an agent."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.line = Line()

    def put(self, *message: Any) -> None:
        self.said.append(message)


class Clock:
    def now(self) -> float:
        return 7.0


class Home:
    clock = Clock()


class There:
    """A host that has an agent as soon as the test says so."""

    def __init__(self, why: str = "") -> None:
        self.home = Home()
        self.trunk: Trunk | None = None
        self.members: dict[str, Distant] = {}
        self.why = why
        self.ready = asyncio.Event()

    async def present(self, member: Distant) -> str:
        await self.ready.wait()
        return self.why

    def come(self) -> Trunk:
        self.trunk = Trunk()
        self.ready.set()
        return self.trunk


ORDER: Mapping[str, Any] = {"start": 3, "names": ["worker/1"]}
ROWS: Sequence[Any] = [(Key("a/0", 1, "b/0", 1), [1] * WORDS)]


class Heard:
    def __init__(self) -> None:
        self.words: list[list[Any]] = []

    def __call__(self, member: Any, *said: Any) -> None:
        self.words.append(list(said))


def at(host: There) -> Distant:
    return Distant("worker-1", cast("Host", host))


async def started(host: There, heard: Heard) -> tuple[Distant, Trunk]:
    trunk, member = host.come(), at(host)
    await member.start(heard, ORDER)
    trunk.said.clear()
    return member, trunk


async def test_it_is_started_when_its_host_is_there_and_then_told_what_waited() -> None:
    host, heard = There(), Heard()
    member = at(host)
    starting = asyncio.ensure_future(member.start(heard, ORDER))
    member.order("changed", [1])

    trunk = host.come()
    await starting
    member.order("go", ["worker/1"])

    assert trunk.said == [
        ("start", "worker-1", ORDER),
        ("order", "worker-1", 3, "changed", ([1],)),
        ("order", "worker-1", 3, "go", (["worker/1"],)),
    ]
    assert host.members == {"worker-1": member}


async def test_without_its_host_it_could_not_be_made() -> None:
    host, heard = There("host b has no agent"), Heard()
    host.ready.set()

    await at(host).start(heard, ORDER)

    assert heard.words == [["unbuilt", "host b has no agent", ""]]


async def test_what_is_killed_before_it_was_started_never_is() -> None:
    host, heard = There(), Heard()
    member = at(host)
    starting = asyncio.ensure_future(member.start(heard, ORDER))

    member.kill()
    member.order("go", [])
    trunk = host.come()
    await starting
    await member.end(0.0)

    assert (trunk.said, heard.words) == ([], [])


async def test_what_it_says_is_heard_with_its_journal_and_by_homes_clock() -> None:
    host, heard = There(), Heard()
    member, _ = await started(host, heard)

    member.said("ready", [4711], None, False)
    member.said("news", [[[1.0, "worker/1", 5, {}]], {}, {}], None, False)
    member.said("closed", [], ROWS, True)

    assert heard.words == [
        ["ready", 4711],
        ["news", [[101.0, "worker/1", 5, {}]], {}, {}],
        ["closed"],
    ]
    assert (member.box.process_beat, member.box.loop_beat) == (7.0, 7.0)
    assert list(member.rows()) == ROWS
    assert member.box.incomplete


async def test_a_beat_is_a_new_one_only_where_it_was_taken() -> None:
    host = There()
    member, trunk = await started(host, Heard())

    member.showed(1.0, 2.0, "")
    before = member.box.process_beat, member.box.loop_beat
    trunk.line.offset = 90.0
    member.showed(1.0, 3.0, "held")

    assert before == (101.0, 102.0)
    assert (member.box.process_beat, member.box.loop_beat, member.box.stall) == (101, 93, "held")


async def test_with_its_host_all_it_has_counted_is_lost() -> None:
    host, heard = There(), Heard()
    member, _ = await started(host, heard)
    member.said("departed", ["worker/1"], ROWS, False)

    member.lost("nothing was heard of host b for 60 s")

    assert heard.words[-1] == ["died", "nothing was heard of host b for 60 s"]
    assert (list(member.rows()), member.box.incomplete, host.members) == ([], True, {})


async def test_a_journal_that_goes_on_is_not_taken_for_the_last_one() -> None:
    member, _ = await started(There(), Heard())
    member.said("crashed", ["worker/1", "why", ""], ROWS, False)

    member.order("close", 1)

    assert list(member.rows()) == []


async def test_its_end_is_awaited_until_it_is_told() -> None:
    member, trunk = await started(There(), Heard())
    ending = asyncio.ensure_future(member.end(0.5))
    await asyncio.sleep(0)

    member.said("died", ["its process exited with code 0"], ROWS, False)
    await ending
    member.kill()

    assert trunk.said == [("end", "worker-1", 3, 0.5), ("kill", "worker-1", 3)]


async def test_an_end_that_nobody_tells_of_is_not_awaited_for_ever(monkeypatch: Any) -> None:
    monkeypatch.setattr("tether.runners.distant.MARGIN", 0.01)
    host = There()
    member, _ = await started(host, Heard())

    await member.end(0.01)

    assert host.members == {}
