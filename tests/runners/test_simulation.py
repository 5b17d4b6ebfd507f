"""A whole run in one process: its real shares, checked as it goes; the same seed, the same run."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.runners.worlds import (
    HOSTED,
    TABLES,
    digest,
    now,
    plan,
    played,
    troubles,
    virtual,
)
from tether.actors.checkpoint import name
from tether.actors.inbound import Inbound
from tether.actors.message import Message
from tether.runners.distribution import Distribution, fixed
from tether.runners.faults import Fault
from tether.runners.network import Network, Rule
from tether.runners.process import OUTSIDE
from tether.runners.simulation import MOST_BROKEN, Simulation, Work, nobody_hears, virtual_loop
from tether.runners.trace import Trace
from tether.runners.virtual import run

ROOT = Path(__file__).parents[2]


def empty(*faults: Fault, **network: Any) -> Simulation:
    """Return a simulation in which nothing has begun."""
    return Simulation(plan(), Network(**network), faults)


async def test_a_simulated_world_needs_a_virtual_loop() -> None:
    loop = type(asyncio.get_running_loop()).__name__
    text = (
        f"a simulated world has a time of its own, but a {loop} runs; begin with "
        r"tether\.runners\.virtual\.run\(main\(\)\)"
    )

    with pytest.raises(RuntimeError, match=text):
        virtual_loop()
    with pytest.raises(RuntimeError, match=text):
        empty()


@virtual
async def test_a_broken_promise_is_kept_with_its_time_once() -> None:
    file = io.StringIO()
    simulation = Simulation(plan(), Network(), trace=Trace(file))

    await asyncio.sleep(1.25)
    simulation.break_("a message was lost")
    simulation.break_("a message was lost")
    await asyncio.sleep(1)
    simulation.break_("a message was lost")

    assert [*simulation.broken] == [
        "at 1.25 s: a message was lost", "at 2.25 s: a message was lost"
    ]  # fmt: skip
    assert file.getvalue().splitlines()[0] == "1.25 broken: a message was lost "


@virtual
async def test_only_so_many_broken_promises_are_kept() -> None:
    simulation = empty()

    for number in range(2 * MOST_BROKEN):
        simulation.break_(f"message {number} was lost")

    assert len(simulation.broken) == MOST_BROKEN


@virtual
async def test_links_resend_only_where_something_may_be_lost() -> None:
    rules = [Rule("*", "*", {"latency": fixed(1.0)})]
    loses = [*rules, Rule("adder", "*", {"loss": 0.1})]
    fault = Fault("pause", fixed(1.0), victims=(("adder/0",),))

    resends = [
        simulation.medium.resend_after
        for simulation in (
            empty(rules=rules), empty(rules=loses), empty(fault), empty(fault, resend=3.0)
        )
    ]  # fmt: skip

    assert resends == [None, 0.2, 0.2, 3.0]


@virtual
async def test_each_start_of_a_process_draws_anew() -> None:
    simulation = empty(start=Distribution("uniform", (0.0, 1.0)))

    first, second = (simulation.member("adder-0") for _ in range(2))

    assert first._start() != second._start()
    assert simulation.members["adder-0"] is second


@virtual
async def test_hosts_are_names_of_processes_and_places_of_actors_but_all_run_together() -> None:
    simulation = Simulation(plan(HOSTED), Network())

    assert simulation.names["counter-0"] == {"counter/0", "counter", "left", "*"}
    assert simulation.names["adder-1"] == {"adder/1", "adder", "right", "*"}
    assert simulation.places().place("adder/0").host == "right"
    assert {spec.host for spec in simulation.plan} == {""}
    assert simulation.plan.hosts == {}


@virtual
async def test_lost_checkpoints_are_those_of_one_process() -> None:
    simulation = empty()
    for actor in ("adder/0", "adder/1"):
        simulation.disk.write(name(actor, 3), [b""])

    simulation.lose_checkpoints("adder-0")

    assert simulation.checkpoints.all() == {"adder/1": [3]}


@virtual
async def test_work_is_kept_if_it_is_wanted() -> None:
    keeps, keeps_not = empty(), Simulation(plan(), Network(), keeps=False)

    for simulation in (keeps, keeps_not):
        simulation.took("adder/0", "gradient", 1.0, 2.5)

    assert keeps.work == [Work("adder/0", "gradient", 1.0, 2.5)]
    assert keeps_not.work == []


@virtual
async def test_the_whole_of_a_run_is_known() -> None:
    simulation, result = await played(seed=3)

    finished = (result.outcome, result.problems, [*simulation.broken])
    assert finished == ("finished", [], [])
    assert simulation.promises.handled_of == {"adder/0": 300, "adder/1": 300}
    assert simulation.promises.flights == {}
    assert len(simulation.work) == 600
    assert [work.ends - work.begins for work in simulation.work] == pytest.approx([0.01] * 600)
    assert simulation.staleness.edges["adder", "counter"].count == 600
    assert 3.0 < now() < 5.0
    assert [report.step for report in simulation.tally.reports].count(300) == 2


@virtual
async def test_the_program_outside_is_no_actor_but_alive() -> None:
    simulation = empty()

    outside = simulation.world()

    assert simulation.living() == [outside]
    assert outside.node.origin.process == OUTSIDE
    assert simulation.actors() == {}
    simulation.close()


@virtual
async def test_what_is_closed_is_checked_no_more_and_all_is_dead() -> None:
    simulation = empty()
    member = simulation.member("adder-0")

    simulation.close()

    assert simulation.loop.checks == []
    assert member.scope.killed


def test_an_ask_that_does_not_end_in_its_time_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[str]:
        simulation = empty()
        share = simulation.world()
        await share.node.start()
        asking = asyncio.ensure_future(share.node.ref("counter/0").add(1))
        await asyncio.sleep(0)
        for ask in share.node.calls.waits():
            ask.message.deadline = 2.0
        member = simulation.member("counter-0")
        member.process = share
        await asyncio.sleep(3)
        simulation.check()
        asking.cancel()
        simulation.close()
        return [*simulation.broken]

    (told,) = run(main())

    assert told.startswith(
        "at 3 s: message 1 of world to counter/0, add, had to end by 2 s, but is"
    )


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that delivers what comes twice a second time."""
    accept = Inbound.accept

    def doubles(
        self: Inbound, first: int, messages: tuple[Message, ...], *, small: bool
    ) -> Sequence[Message]:
        before = self.received
        due = accept(self, first, messages, small=small)
        return due or [message for n, message in enumerate(messages, first) if n <= before]

    monkeypatch.setattr(Inbound, "accept", doubles)


def test_a_runtime_that_delivers_twice_is_caught(doubled: None) -> None:
    faults = {"link": [{"for": "1h", "duplicate": 0.2}]}

    simulation, _ = run(played(faults=faults, seed=3))

    assert any(
        "was never sent, or was begun or dropped before" in text for text in simulation.broken
    )


def test_a_runtime_that_does_not_book_what_it_has_done_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handled, done = Inbound.handled, count()

    def forgets(self: Inbound, size: int) -> None:
        if next(done) != 50:
            handled(self, size)

    monkeypatch.setattr(Inbound, "handled", forgets)

    simulation, _ = run(played(seed=3))

    told = [text.partition(": ")[2] for text in simulation.broken]
    assert told == [
        "counter/0 has handled all, but never acknowledged it, though adder/0 waits for that",
        "adder/0: 300 messages were handled, but 299 are booked",
    ]


SEEDS = [1, 2, 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_broken_when_everything_goes_wrong(seed: int) -> None:
    simulation, result = run(played(faults=troubles("adder", "counter"), seed=seed))

    assert [*simulation.broken] == []
    assert result.outcome == "finished"
    assert simulation.tally.restarts != []
    kinds = {strike.kind for strike in simulation.chaos.strikes}
    assert kinds == {"crash", "pause", "link"}


def test_the_same_seed_does_the_same_and_another_something_else() -> None:
    one, same, other = (digest(TABLES, seed) for seed in (7, 7, 8))

    assert one == same
    assert one.split()[0] != other.split()[0]


def hashed(tables: str, hash_seed: int) -> str:
    """Return the digest of a run in another interpreter, in which hashes are others."""
    code = f"from tests.runners.worlds import {tables}, digest; print(digest({tables}, 7))"
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True
    ).strip()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("tables", ["TABLES", "QUADRATIC"])
def test_the_same_seed_does_the_same_in_every_interpreter(tables: str) -> None:
    one, other = (hashed(tables, seed) for seed in (1, 2))

    assert one == other
    assert int(one.split()[2]) > 100


def test_what_is_said_before_anybody_listens_is_lost() -> None:
    assert nobody_hears("ready", 1) is None  # type: ignore[func-returns-value]
