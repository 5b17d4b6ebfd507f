from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from math import fsum
from typing import Any

import pytest
from torch import Tensor

from tests.protocols.gossiping import still
from tests.protocols.seeds import all_seeds
from tether.actors import Group
from tether.actors.restoring import alone
from tether.protocols.choice import Rotating
from tether.protocols.gosgd import Peer
from tether.protocols.gosgd_invariants import CERTAIN, INVARIANTS, Conservation, shares
from tether.protocols.invariant import Call, Life
from tether.protocols.quadratic import Quadratic
from tether.protocols.sumweight import Weight
from tether.runners import virtual
from tether.runners.simulation import Simulation
from tether.runners.world import BrokenPromise, World

NETWORK = {
    "line": "1ms",
    "link": [{"latency": {"uniform": ["0.1ms", "2ms"]}}],
    "compute": {"peer": {"uniform": ["5ms", "20ms"]}},
}
AGAIN = {"at": "0.1s", "every": {"exponential": "0.2s"}, "times": 3, "for": "0.1s"}
TROUBLES: dict[str, list[dict[str, Any]]] = {
    "pause": [{**AGAIN, "actor": "peer"}],
    "partition": [{**AGAIN, "times": 2, "between": ["peer/0", "peer"]}],
    "link": [{"for": "1h", "loss": 0.1, "duplicate": 0.1, "reorder": 0.1}],
}
"""Faults without a death."""
CRASHES = {"crash": [{"at": "0.2s", "every": {"exponential": "0.2s"}, "times": 4, "actor": "peer"}]}


class Seen:
    """A simulation by hand: who lives, what is under way, what has leaked."""

    def __init__(self) -> None:
        self.actors: dict[str, Any] = {}
        self.calls: list[Call] = []
        self.leaks: list[tuple[str, float]] = []

    def under_way(self) -> Iterator[Call]:
        return iter(self.calls)

    def unbegun(self) -> Iterator[Call]:
        return iter(self.calls)

    def leak(self, why: str, size: float) -> None:
        self.leaks.append((why, size))


class Stage:
    """Peers, and the conservation of what they hold; all is moved by hand."""

    def __init__(self, *xs: float) -> None:
        self.view, self.lives = Seen(), dict[str, int]()
        self.conservation = Conservation(self.view)
        self.M = len(xs)
        for i, x in enumerate(xs):
            self.make(f"peer/{i}", x)

    def make(self, name: str, x: float, *, joins: bool = False) -> Peer:
        self.lives[name] = self.lives.get(name, 0) + 1
        if joins:
            with alone():
                peer = Peer(Group(), still(x), self.M, 0.0, 0)
        else:
            peer = Peer(Group(), still(x), self.M, 0.0, 0)
        self.view.actors[name] = peer
        self.conservation.made(Life(name, self.lives[name]), peer)
        return peer

    def send(self, i: str, j: str, a: float) -> Call:
        """Have a push on its way."""
        peer = self.view.actors[i]
        peer.own.a -= a
        lives = Life(i, self.lives[i]), Life(j, self.lives[j])
        call = Call(*lives, "push", (peer.learner.x.clone(), a, peer.t))
        self.view.calls.append(call)
        return call

    def begin(self, call: Call) -> None:
        """Have a push queued where it was sent."""
        self.view.calls.remove(call)
        x, a, t = call.args
        self.view.actors[call.target.name].own.put(x, a, t)

    def merge(self, name: str) -> None:
        peer = self.view.actors[name]
        self.conservation.before(name, "apply")
        peer.process_messages(peer.learner.x)
        self.conservation.after(name, "apply")

    def step(self, name: str, change: float) -> None:
        self.conservation.before(name, "step")
        self.view.actors[name].learner.x.add_(change)
        self.conservation.after(name, "step")

    def check(self) -> str:
        return self.conservation.check()


def test_the_invariant_of_gossip_is_conservation_and_nobody_conserves_nothing() -> None:
    found = [invariant(Seen()) for invariant in INVARIANTS]

    assert [type(each) for each in found] == [Conservation]
    assert found[0].check() == ""


def test_pushes_merges_and_steps_in_good_order_conserve_all() -> None:
    stage = Stage(8.0, 4.0)

    found = [stage.check()]
    call = stage.send("peer/0", "peer/1", 0.25)
    found.append(stage.check())
    stage.begin(call)
    found.append(stage.check())
    stage.step("peer/1", -2.0)
    stage.merge("peer/1")
    found.append(stage.check())

    assert found == [""] * 4
    assert stage.view.leaks == []
    assert stage.conservation.total == 1.0


ERRORS = {
    "a sender keeps the weight that it sends": "Σ a",
    "a push is queued twice": "Σ a",
    "a push is never queued": "Σ a",
    "a peer writes its x": "Σ a·x",
    "a queued x is an alias": "Σ a·x",
    "one that comes back brings a weight": "Σ a",
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_told(error: str) -> None:
    stage = Stage(8.0, 4.0)
    call = stage.send("peer/0", "peer/1", 0.25)
    one, other = (stage.view.actors[f"peer/{i}"] for i in range(2))

    if error.startswith("a sender"):
        one.own.a += 0.25
    elif error.endswith("twice"):
        stage.begin(call)
        other.own.put(*call.args)
    elif error.endswith("never queued"):
        stage.view.calls.clear()
    elif error.startswith("a peer"):
        one.learner.x.add_(1.0)
    elif error.endswith("alias"):
        call.args[0].add_(1.0)
    else:
        del stage.view.actors["peer/1"]
        stage.check()
        stage.make("peer/1", 4.0)

    assert stage.check().startswith(f"{ERRORS[error]} + leaks is off by ")


def test_a_death_leaks_what_was_held_and_queued_and_who_comes_back_has_nothing() -> None:
    stage = Stage(8.0, 4.0)
    stage.begin(stage.send("peer/0", "peer/1", 0.25))

    del stage.view.actors["peer/1"]
    dead = stage.check()
    stage.make("peer/1", 7.0, joins=True)

    assert [dead, stage.check()] == ["", ""]
    assert stage.view.leaks == [("peer/1 died", 0.75)]


def test_a_push_to_one_who_has_died_leaks_when_that_is_certain_and_is_taken_back_if_it_comes() -> (
    None
):
    stage = Stage(8.0, 4.0)
    call = stage.send("peer/0", "peer/1", 0.25)
    del stage.view.actors["peer/1"]

    found = [stage.check() for _ in range(CERTAIN)]
    lost = list(stage.view.leaks)
    stage.make("peer/1", 4.0, joins=True)
    stage.begin(call)
    found += [stage.check(), stage.check()]

    assert found == [""] * (CERTAIN + 2)
    assert lost == [("peer/1 died", 0.5), ("a push of peer/0 to peer/1 was lost", 0.25)]
    assert stage.view.leaks[2:] == [("a push of peer/0 came after all", -0.25)]


def test_actors_that_do_not_gossip_are_left_alone() -> None:
    stage = Stage(8.0)

    stage.conservation.made(Life("evaluator/0", 1), object())
    stage.conservation.before("evaluator/0", "step")
    stage.conservation.after("evaluator/0", "step")

    assert [*stage.conservation.owned] == ["peer/0"]
    assert stage.check() == ""


# In simulations of whole runs.


class Doubling(Quadratic):
    """A learner whose merges are made twice: planted."""

    async def apply(self, kernel: Any, *args: Any, **kwargs: Any) -> Any:
        result = await super().apply(kernel, *args, **kwargs)
        await super().apply(Tensor.mul_, 1.001)
        return result


def tables(seed: int, actor: type = Peer, learner: type = Quadratic, **keys: Any) -> dict[str, Any]:
    """Return eight peers; checkpoints and restarts fit a run of 2 seconds."""
    quadratic = {
        "make": learner, "n": 8, "eta": 0.1, "h": 1.0, "sigma": 0.5, "optimum": 0.0,
        "start": 1.0, "seed": "$seed",
    }  # fmt: skip
    gossip = {"M": "$count", "p": 0.3} if issubclass(actor, Peer) else {}
    peer = {
        "actor": actor, "count": 8, "peers": "@peer[others]", "learner": quadratic, "steps": 80,
        "max_restarts": 20, **gossip, **keys,
    }  # fmt: skip
    return {"run": {"seed": seed, "checkpoint": 0.2}, "peer": peer}


def played(
    wiring: dict[str, Any], faults: dict[str, Any] | None = None
) -> tuple[Simulation, Conservation, dict[str, Any]]:
    """Run peers to their end; return the simulation, its invariant, and the peers as they are."""

    async def main() -> tuple[Simulation, dict[str, Any]]:
        world = World(wiring, "simulated", network=NETWORK, faults=faults)
        actors: dict[str, Any] = {}
        with suppress(BrokenPromise):
            async with world:
                await world.finished()
                assert world.simulation is not None
                await asyncio.sleep(1.0)
                for _ in range(CERTAIN):
                    world.simulation.check()
                actors = dict(world.simulation.actors())
        assert world.simulation is not None
        return world.simulation, actors

    simulation, actors = virtual.run(main())
    (conservation,) = simulation.declared.invariants
    assert isinstance(conservation, Conservation)
    return simulation, conservation, actors


def left(conservation: Conservation, actors: dict[str, Any]) -> Fraction:
    """Return Σ a of the living and what they have queued, exactly."""
    peers = [actor for actor in actors.values() if isinstance(actor, conservation.kind)]
    return sum((Fraction(a) for peer in peers for a, _ in shares(peer)), Fraction(0))


def weight(actors: Mapping[str, Any]) -> float:
    """Return the same, rounded."""
    return fsum(a for actor in actors.values() for a, _ in shares(actor))


@pytest.mark.parametrize("seed", range(3))
def test_g1_and_g2_without_deaths_nothing_leaks_whatever_the_network_does(seed: int) -> None:
    simulation, conservation, actors = played(tables(seed), TROUBLES)

    assert simulation.broken == {}
    assert simulation.declared.leaks == []
    assert len(simulation.chaos.strikes) >= 5
    assert abs(left(conservation, actors) - 1) < Fraction(1, 2**48)


@pytest.mark.parametrize("seed", range(3))
def test_g1_and_g2_what_deaths_take_away_is_booked_to_the_last_unit(seed: int) -> None:
    simulation, conservation, actors = played(tables(seed), {**TROUBLES, **CRASHES})

    leaks = fsum(leak.size for leak in simulation.declared.leaks)
    assert simulation.broken == {}
    assert len(simulation.tally.restarts) >= 1
    assert leaks > 0
    assert float(left(conservation, actors)) + leaks == pytest.approx(1.0, abs=2.0**-48)


def test_merges_that_are_wrong_are_told() -> None:
    simulation, _, _ = played(tables(0, learner=Doubling))

    assert any("Σ a·x + leaks is off" in broken for broken in simulation.broken)


def test_senders_that_keep_what_they_send_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second bug of the notebook."""
    give = Weight.give

    async def keeping(self: Weight, a: float, t: int, push: Any) -> None:
        await give(self, a, t, push)
        self.a += a

    monkeypatch.setattr(Weight, "give", keeping)

    simulation, _, _ = played(tables(0))

    assert any("Σ a + leaks is off" in broken for broken in simulation.broken)


def test_who_leaves_hands_all_over_and_who_joins_begins_with_nothing() -> None:
    wiring = tables(0)
    wiring["peer"] |= {"count": {"start": 4, "min": 1, "max": 8}, "M": 4, "steps": 200}

    async def main() -> tuple[Simulation, list[Any]]:
        async with World(wiring, "simulated", network=NETWORK) as world:
            peers = world.group(Peer, "peer")
            for size in (8, 2, 5, 1):
                await asyncio.sleep(0.3)
                await peers.resize(size)
            await asyncio.sleep(0.3)
            assert world.simulation is not None
            return world.simulation, [each.own.a for each in world.simulation.actors().values()]

    simulation, weights = virtual.run(main())

    assert simulation.broken == {}
    assert simulation.declared.leaks == []
    assert weights == [1.0]


SLOW = [{"latency": "1ms"}, {"from": "peer/1", "to": "peer", "latency": "1s"}]
"""Pushes of one peer are under way for longer than it takes others to leave."""


def test_who_leaves_waits_for_what_was_sent_to_it_over_a_slow_network() -> None:
    wiring = tables(1, p=1.0)
    wiring["peer"] |= {"count": {"start": 4, "min": 1, "max": 8}, "M": 4, "steps": 400}
    network = {**NETWORK, "link": SLOW}

    async def main() -> Simulation:
        async with World(wiring, "simulated", network=network) as world:
            peers = world.group(Peer, "peer")
            for size in (6, 2, 5, 2):
                await asyncio.sleep(0.3)
                await peers.resize(size)
            assert world.simulation is not None
            return world.simulation

    simulation = virtual.run(main())

    assert simulation.broken == {}
    assert simulation.declared.leaks == []


@pytest.mark.parametrize(
    "graph",
    [["@peer[-1]", "@peer[+1]"], ["@peer[+1]", "@peer[+2]", "@peer[+4]"]],
    ids=["ring", "hops"],
)
def test_on_other_graphs_it_conserves_as_well(graph: list[str]) -> None:
    simulation, conservation, actors = played(
        tables(0, peers=graph, choice={"make": Rotating}), TROUBLES
    )

    assert simulation.broken == {}
    assert abs(left(conservation, actors) - 1) < Fraction(1, 2**48)


@pytest.mark.soak
def test_a_thousand_seeds_of_gosgd_conserve_all_but_what_their_deaths_take_away() -> None:
    def wiring(seed: int) -> dict[str, Any]:
        return tables(seed, count=5, steps=40)

    sums = all_seeds("GoSGD", wiring, NETWORK, {**TROUBLES, **CRASHES}, "push", weight)

    assert sums["violations"] == 0
