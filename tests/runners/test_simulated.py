"""A simulated process starts, obeys, is silent and dies as its agent sees a real one do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import pytest

from tests.runners.worlds import TABLES, Counter, now, plan, virtual
from tether.actors.journal import Key
from tether.runners.distribution import fixed
from tether.runners.members import Member
from tether.runners.network import Network
from tether.runners.simulated import KILLED, Line, Simulated
from tether.runners.simulation import Simulation, virtual_loop

NETWORK = Network(start=fixed(0.5), line=fixed(0.25))


class Unbuildable(Counter):
    def __init__(self) -> None:
        raise ValueError("tau is 0")


class Agent:
    """Hears what processes say, and has one of the adders' counter."""

    def __init__(self, tables: Mapping[str, Any] = TABLES) -> None:
        self.simulation = Simulation(plan(tables), NETWORK)
        self.said: list[tuple[float, str, list[Any]]] = []
        self.counter = self.simulation.member("counter-0")

    def hear(self, member: Member, word: str, *details: Any) -> None:
        assert member is self.counter
        self.said.append((now(), word, [*details]))

    async def start(self) -> Simulated:
        order = {
            "incarnations": {"counter/0": 1}, "down": {}, "gone": {}, "off": [],
            "present": ["counter/0"], "start": 1, "names": ["counter/0"], "restore": {},
            "alone": [],
        }  # fmt: skip
        await self.counter.start(self.hear, order)
        return self.counter

    @property
    def words(self) -> list[tuple[float, str]]:
        return [(t, word) for t, word, _ in self.said if word != "news"]


@virtual
async def test_a_process_is_ready_when_it_has_started_and_its_word_has_come() -> None:
    agent = Agent()

    counter = await agent.start()
    await asyncio.sleep(1)

    assert agent.said == [(0.75, "ready", [0])]
    assert counter.process is not None
    assert [*counter.process.node.cells] == ["counter/0"]


@virtual
async def test_what_cannot_be_made_is_said_and_the_process_ends() -> None:
    agent = Agent({"counter": {"actor": Unbuildable}})

    await agent.start()
    await asyncio.sleep(1)

    (t, word, (why, trace)), died = agent.said
    assert (t, word) == (0.75, "unbuilt")
    assert why.startswith("ValueError: tau is 0 (counter/0: while ")
    assert why.endswith(":Unbuildable was called for [counter])")
    assert trace.startswith("Traceback")
    assert died == (0.75, "died", ["its process exited with code 0"])


@virtual
async def test_orders_are_obeyed_in_their_order_also_those_of_before_it_was_there() -> None:
    agent = Agent()

    counter = await agent.start()
    counter.order("note", 1)
    counter.order("go", ["counter/0"])
    await asyncio.sleep(2)
    counter.order("note", 2)
    await asyncio.sleep(1)

    assert [said for said in agent.said if said[1] != "news"] == [
        (0.75, "ready", [0]),
        (0.75, "noted", [1]),
        (0.75, "lives", [["counter/0"], ["counter/0"]]),
        (2.5, "noted", [2]),
    ]


@virtual
async def test_a_process_that_is_told_to_close_ends_by_itself() -> None:
    agent = Agent()
    counter = await agent.start()
    await asyncio.sleep(1)

    counter.order("close", 0)
    await counter.end(10)

    assert agent.words[-2:] == [(1.5, "closed"), (1.5, "died")]
    assert agent.said[-1][2] == ["its process exited with code 0"]
    assert counter.scope.killed
    assert now() == 1.5


@virtual
async def test_a_process_that_fails_at_an_order_ends_with_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    agent = Agent()
    counter = await agent.start()

    counter.order("dance")
    await asyncio.sleep(2)

    assert agent.said[-1] == (0.75, "died", ["its process exited with code 1"])
    assert "has no attribute '_dance'" in capsys.readouterr().err


@virtual
async def test_a_process_that_is_killed_says_nothing_more_but_its_agent_hears_of_it() -> None:
    agent = Agent()
    counter = await agent.start()
    await asyncio.sleep(1)
    counter.order("note", 1)
    counter.order("go", ["counter/0"])

    counter.kill()
    counter.kill()
    counter.order("note", 2)
    await asyncio.sleep(5)

    assert agent.said == [(0.75, "ready", [0]), (1.25, "died", [KILLED])]
    assert KILLED == "its process was killed by SIGKILL"


@virtual
async def test_what_was_said_before_a_death_is_heard() -> None:
    agent = Agent()
    counter = await agent.start()

    await asyncio.sleep(0.6)
    counter.kill()
    await asyncio.sleep(5)

    assert agent.words == [(0.75, "ready"), (0.85, "died")]


@virtual
async def test_a_process_that_is_killed_while_it_starts_is_never_there() -> None:
    agent = Agent()
    counter = await agent.start()

    await asyncio.sleep(0.25)
    counter.kill()
    await counter.end(9)
    await asyncio.sleep(5)

    assert agent.words == [(0.5, "died")]
    assert counter.process is None


@virtual
async def test_a_killed_process_is_deaf_and_its_journal_can_be_read() -> None:
    agent = Agent()
    counter = await agent.start()
    await asyncio.sleep(1)
    assert counter.process is not None
    counter.process.node.switch.journal.row(Key("counter/0", 1))[0] = 7

    counter.kill()

    assert "counter-0" not in agent.simulation.medium.endpoints
    assert [(key, row[0]) for key, row in counter.rows()] == [(Key("counter/0", 1), 7)]


@virtual
async def test_a_stopped_process_obeys_when_it_goes_on() -> None:
    agent = Agent()
    counter = await agent.start()
    await asyncio.sleep(1)

    counter.scope.stop()
    counter.order("note", 1)
    await asyncio.sleep(3)
    before = [*agent.words]
    counter.scope.go_on()
    await asyncio.sleep(1)

    assert before == [(0.75, "ready")]
    assert agent.words[1:] == [(4.25, "noted")]


@virtual
async def test_a_process_shows_when_it_last_ran() -> None:
    agent = Agent()
    counter = agent.counter
    none = counter.box
    await asyncio.sleep(0.5)
    await agent.start()
    box, beats = counter.box, list[tuple[float, float]]()
    assert box is not None

    for change in (counter.rows, counter.scope.stop, counter.scope.go_on, counter.kill):
        await asyncio.sleep(1)
        change()
        await asyncio.sleep(1)
        beats.append((box.process_beat, box.loop_beat))

    assert none is None
    assert beats == [(2.5, 2.5), (3.5, 3.5), (6.5, 6.5), (7.5, 7.5)]
    assert (box.stall, box.incomplete) == ("", False)


@virtual
async def test_a_process_of_the_first_moment_has_no_beat() -> None:
    agent = Agent()

    counter = await agent.start()

    assert counter.box is not None
    assert counter.box.process_beat == 0.0


@virtual
async def test_patience_with_a_process_that_does_not_end_is_limited() -> None:
    agent = Agent()
    counter = await agent.start()
    await asyncio.sleep(1)

    await counter.end(3)

    assert agent.words[-1] == (4.25, "died")
    assert now() == 4.25


@virtual
async def test_a_process_that_was_never_started_has_ended() -> None:
    agent = Agent()

    await agent.counter.end(3)

    assert now() == 0.0


@virtual
async def test_a_line_is_slow_but_keeps_its_order() -> None:
    heard: list[tuple[float, str]] = []
    line = Line(virtual_loop(), cycle([3.0, 0.5, 2.0]).__next__)

    for word in ("a", "b", "c"):
        line.say(lambda word: heard.append((now(), word)), word)
        await asyncio.sleep(0.25)
    await asyncio.sleep(9)

    assert heard == [(3.0, "a"), (3.0, "b"), (3.0, "c")]


@virtual
async def test_a_word_is_heard_where_the_line_was_made_whoever_says_it() -> None:
    agent = Agent()
    heard: list[str] = []
    line = Line(virtual_loop(), lambda: 0.5)

    agent.counter.scope.context.run(line.say, heard.append, "a last word")
    agent.counter.scope.kill()
    await asyncio.sleep(1)

    assert heard == ["a last word"]
