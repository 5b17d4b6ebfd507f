"""What goes wrong in a simulation is what its faults say, with whom its seed says, for as long."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runners.worlds import HOSTED, now, plan, virtual
from tether.actors.checkpoint import name
from tether.actors.compute import Job
from tether.runners.chaos import Strike
from tether.runners.distribution import Distribution, fixed
from tether.runners.faults import Fault
from tether.runners.network import Network, Rule
from tether.runners.simulated import Simulated
from tether.runners.simulation import Simulation
from tether.runners.trace import Trace
from tether.runners.virtual import run

ADDERS = (("adder/0",), ("adder/1",))
BOTH = (("adder/0", "adder/1"),)


class Victims:
    """The processes of a run, of which nobody has begun to do anything."""

    def __init__(self, *faults: Fault, seed: int = 7, trace: Trace | None = None) -> None:
        self.simulation = Simulation(plan(HOSTED), Network(), faults, seed=seed, trace=trace)
        self.chaos = self.simulation.chaos
        for process in ("counter-0", "adder-0", "adder-1"):
            self.simulation.member(process)

    def __getitem__(self, process: str) -> Simulated:
        return self.simulation.members[process]

    @property
    def stopped(self) -> list[str]:
        return [name for name, each in self.simulation.members.items() if each.scope.stopped]

    @property
    def killed(self) -> list[str]:
        return [name for name, each in self.simulation.members.items() if each.scope.killed]

    async def works(self, actor: str) -> float:
        """Have an actor work for what takes 10 ms; return how long it took."""
        begun, thread = now(), self.simulation.clock.executor(actor)
        await thread.begin(Job("gradient", int))
        return now() - begun

    def route(self, source: str, target: str) -> tuple[bool, float]:
        """Return whether the way between two processes is cut, and its latency."""
        edge = self.simulation.medium.edge(source, target)
        return edge.cut, edge.route.latency.numbers[0]


def fault(kind: Any, at: float = 1.0, **more: Any) -> Fault:
    times: dict[str, Any] = {key: fixed(more.pop(key)) for key in ("every", "lasts") if key in more}
    return Fault(kind, fixed(at), **times, **more)


@virtual
async def test_a_crash_kills_the_process_of_its_victim_at_its_time() -> None:
    victims = Victims(fault("crash", 2.5, victims=(("adder/1",),)))

    victims.chaos.begin()
    await asyncio.sleep(2)
    before = victims.killed
    await asyncio.sleep(1)

    assert (before, victims.killed) == ([], ["adder-1"])
    assert victims["adder-1"].scope.since == 2.5
    assert victims.chaos.strikes == [Strike("crash", ("adder/1",), 2.5, 2.5)]


@virtual
async def test_a_crash_of_a_host_kills_all_its_processes_at_once() -> None:
    victims = Victims(fault("crash", victims=BOTH))

    victims.chaos.begin()
    await asyncio.sleep(2)

    assert victims.killed == ["adder-0", "adder-1"]
    assert {victims[name].scope.since for name in victims.killed} == {1.0}


@pytest.mark.parametrize(("checkpoint", "left"), [(True, [2, 1]), (False, [])])
def test_a_crash_may_take_the_checkpoints_away_too(checkpoint: bool, left: list[int]) -> None:
    async def main() -> None:
        victims = Victims(fault("crash", victims=(("adder/1",),), checkpoint=checkpoint))
        for actor in ("adder/0", "adder/1"):
            for round_ in (1, 2):
                victims.simulation.disk.write(name(actor, round_), [b""])

        victims.chaos.begin()
        await asyncio.sleep(2)

        assert victims.simulation.checkpoints.rounds("adder/1") == left
        assert victims.simulation.checkpoints.rounds("adder/0") == [2, 1]

    run(main())


@virtual
async def test_a_crash_of_the_dead_or_of_who_is_not_there_changes_nothing() -> None:
    victims = Victims(
        fault("crash", 1.0, victims=(("adder/1",),)), fault("crash", 2.0, victims=BOTH)
    )
    del victims.simulation.members["adder-0"]

    victims.chaos.begin()
    await asyncio.sleep(3)

    assert victims.killed == ["adder-1"]
    assert victims["adder-1"].scope.since == 1.0
    assert len(victims.chaos.strikes) == 2


@virtual
async def test_a_pause_stops_a_process_for_its_time() -> None:
    victims = Victims(fault("pause", lasts=2.0, victims=(("adder/0",),)))
    seen = []

    victims.chaos.begin()
    for _ in range(4):
        await asyncio.sleep(0.9)
        seen.append(victims.stopped)

    assert seen == [[], ["adder-0"], ["adder-0"], []]
    assert victims.chaos.strikes == [Strike("pause", ("adder/0",), 1.0, 3.0)]


@virtual
async def test_of_two_pauses_the_longer_one_holds() -> None:
    victims = Victims(
        fault("pause", 1.0, lasts=2.0, victims=(("adder/0",),)),
        fault("pause", 2.0, lasts=9.0, victims=BOTH),
    )

    victims.chaos.begin()
    await asyncio.sleep(3.5)
    between = victims.stopped
    await asyncio.sleep(9)

    assert (between, victims.stopped) == (["adder-0", "adder-1"], [])


@virtual
async def test_a_pause_ends_for_a_process_that_was_killed_in_it() -> None:
    victims = Victims(
        fault("pause", 1.0, lasts=2.0, victims=BOTH), fault("crash", 2.0, victims=(("adder/0",),))
    )

    victims.chaos.begin()
    await asyncio.sleep(5)

    assert (victims.stopped, victims.killed) == (["adder-0"], ["adder-0"])


@virtual
async def test_who_is_slow_computes_so_many_times_longer_and_no_longer() -> None:
    victims = Victims(fault("slow", lasts=2.0, factor=4.0, victims=(("adder/0",),)))
    took = []

    victims.chaos.begin()
    for wait in (0.5, 1.0, 2.0):
        await asyncio.sleep(wait)
        took.append((await victims.works("adder/0"), await victims.works("adder/1")))

    assert took == [pytest.approx(each) for each in ((0.01, 0.01), (0.04, 0.01), (0.01, 0.01))]


@virtual
async def test_who_is_slowed_twice_is_slower() -> None:
    victims = Victims(
        fault("slow", 1.0, lasts=5.0, factor=4.0, victims=BOTH),
        fault("slow", 1.0, lasts=3.0, factor=0.5, victims=BOTH),
    )
    took = []

    victims.chaos.begin()
    for _ in range(2):
        await asyncio.sleep(2.5)
        took.append(await victims.works("adder/1"))

    assert took == pytest.approx([0.02, 0.04])


@virtual
async def test_a_partition_cuts_what_its_rules_say_for_its_time() -> None:
    rules = (Rule("left", "right", {}), Rule("right", "left", {}))
    victims = Victims(fault("partition", lasts=2.0, rules=rules))
    seen = []

    victims.chaos.begin()
    for _ in range(3):
        await asyncio.sleep(1.25)
        ways = (("counter-0", "adder-0"), ("adder-1", "counter-0"), ("adder-0", "adder-1"))
        seen.append([victims.route(*way)[0] for way in ways])

    assert seen == [[True, True, False], [True, True, False], [False, False, False]]
    assert victims.chaos.strikes == [Strike("partition", ("left→right", "right→left"), 1.0, 3.0)]


@virtual
async def test_a_link_fault_spoils_what_its_rules_say_for_its_time() -> None:
    rule = Rule("adder", "*", {"latency": fixed(0.75)})
    victims = Victims(fault("link", lasts=2.0, rules=(rule,)))
    seen = []

    victims.chaos.begin()
    for _ in range(4):
        await asyncio.sleep(0.9)
        seen.append(victims.route("adder-0", "counter-0")[1])

    assert seen == [1e-4, 0.75, 0.75, 1e-4]
    assert victims.route("counter-0", "adder-0") == (False, 1e-4)


@virtual
async def test_what_comes_again_comes_so_often_and_so_many_times() -> None:
    victims = Victims(fault("pause", 1.0, every=2.0, times=3, lasts=0.5, victims=BOTH))

    victims.chaos.begin()
    await asyncio.sleep(20)

    assert [(each.begins, each.ends) for each in victims.chaos.strikes] == [
        (1.0, 1.5), (3.0, 3.5), (5.0, 5.5)
    ]  # fmt: skip


@virtual
async def test_what_comes_again_and_has_no_number_comes_until_the_end() -> None:
    victims = Victims(fault("pause", 1.0, every=2.0, lasts=0.5, victims=BOTH))

    victims.chaos.begin()
    await asyncio.sleep(20)
    victims.chaos.end()
    await asyncio.sleep(20)

    assert [strike.begins for strike in victims.chaos.strikes] == [1.0 + 2 * k for k in range(10)]


@virtual
async def test_the_end_mends_all_and_lets_nothing_more_go_wrong() -> None:
    rules = (Rule("*", "*", {"latency": fixed(9.0)}),)
    victims = Victims(
        fault("pause", lasts=50.0, victims=(("adder/0",),)),
        fault("slow", lasts=50.0, factor=4.0, victims=BOTH),
        fault("partition", lasts=50.0, rules=rules),
        fault("link", lasts=50.0, rules=rules),
        fault("crash", 9.0, victims=BOTH),
    )
    victims.chaos.begin()
    await asyncio.sleep(2)
    wrong = victims.stopped, victims.route("adder-0", "counter-0")

    victims.chaos.end()
    mended = victims.stopped, victims.route("adder-0", "counter-0")
    took = await victims.works("adder/1")
    await asyncio.sleep(100)

    assert wrong == (["adder-0"], (True, 9.0))
    assert mended == ([], (False, 1e-4))
    assert took == pytest.approx(0.01)
    assert (victims.simulation.slowness, victims.simulation.medium.troubles) == ([], [])
    assert (victims.killed, len(victims.chaos.strikes)) == ([], 4)


@virtual
async def test_what_goes_wrong_stands_in_the_trace() -> None:
    file = io.StringIO()
    victims = Victims(
        fault("crash", 1.0, victims=BOTH),
        fault("link", 2.0, lasts=1.0, rules=(Rule("adder", "*", {"loss": 0.5}),)),
        trace=Trace(file),
    )

    victims.chaos.begin()
    await asyncio.sleep(5)

    assert file.getvalue() == "1.0 crash adder/0 adder/1 \n2.0 link adder→* \n"


def strikes(*faults: Fault, seed: int) -> list[Strike]:
    """Return what comes about in a minute."""

    async def main() -> list[Strike]:
        victims = Victims(*faults, seed=seed)
        victims.chaos.begin()
        await asyncio.sleep(60)
        victims.chaos.end()
        return victims.chaos.strikes

    return run(main())


DRAWN = Fault(
    "pause",
    Distribution("uniform", (1.0, 3.0)),
    every=Distribution("exponential", (2.0,)),
    lasts=Distribution("uniform", (0.1, 0.2)),
    victims=ADDERS,
)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_the_seed_draws_whom_it_meets_when_and_for_how_long(seed: int) -> None:
    one, same, other = (strikes(DRAWN, seed=each) for each in (seed, seed, seed + 1))

    assert one == same != other
    assert all(0.1 <= strike.ends - strike.begins <= 0.2001 for strike in one)
    assert 1.0 <= one[0].begins <= 3.0


def test_each_of_those_it_may_meet_is_met() -> None:
    met = [strike.victims for strike in strikes(DRAWN, seed=7)]

    assert len(met) > 10
    assert set(met) == set(ADDERS)


def test_a_fault_more_changes_nothing_of_those_before_it() -> None:
    more = fault("slow", lasts=1.0, every=1.0, factor=2.0, victims=ADDERS)

    alone, beside = strikes(DRAWN, seed=7), strikes(DRAWN, more, seed=7)

    assert [strike for strike in beside if strike.kind == "pause"] == alone
