"""Hosts that are apart for real: their cables are cut, and plugged in again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.books import assert_accounted, assert_sums
from tests.chaos.cables import Cables, missing
from tests.chaos.conftest import Start
from tests.chaos.hosting import CENTER, TIMES, workers
from tests.chaos.stage import OFTEN, Agent, until

WHY = missing()
pytestmark = [pytest.mark.skipif(bool(WHY), reason=WHY), pytest.mark.timeout(180)]
PATIENT = TIMES.replace("lost = 2", "lost = 60")
SLOW = "pause = 0.01\n"

QUADRATIC = """
[center]
actor = "tether.protocols.easgd:Center"
on = "a"
x = { make = "tether.protocols.quadratic:initial", n = 400000, start = 1.0 }
alpha = 0.2

[worker]
actor = "tether.protocols.easgd:Worker"
on = ["a", "b", "c"]
center = "@center"
tau = 2
steps = 60
[worker.learner]
make = "tether.protocols.quadratic:Quadratic"
n = 400000
eta = 0.1
h = 1.0
sigma = 0.5
optimum = 0.0
start = 1.0
seed = "$seed"
"""


@pytest.fixture
def cables() -> Iterator[Cables]:
    made = Cables("abc")
    yield made
    made.remove()


class Hosts:
    """The agents of a run on hosts that are apart."""

    def __init__(
        self, up: Start, cables: Cables, names: str, wiring: str, times: str = PATIENT
    ) -> None:
        addresses = "".join(f'{name} = "{cables.address(name)}"\n' for name in names)
        self.wiring = f"{times}[hosts]\n{addresses}{wiring}"
        self.agents = {name: self._started(up, cables, name) for name in names}
        self.home = self.agents["a"]

    def _started(self, up: Start, cables: Cables, name: str) -> Agent:
        # Home need not be named: no other host has its address.
        named = () if name == "a" else ("--host", name)
        return up(self.wiring, *named, inside=cables.inside(name))

    def assert_ended(self, code: int) -> None:
        assert self.home.end(60) == code, self.home.said.read_text()
        for agent in self.agents.values():
            agent.end()
            agent.until_nothing_is_left()


@pytest.mark.parametrize("hosts", ["bbc", "a"], ids=["one after the other", "home"])
def test_a_cut_that_heals_loses_and_doubles_nothing(up: Start, cables: Cables, hosts: str) -> None:
    run = Hosts(up, cables, "abc", CENTER + workers("a", "b", "c", steps=1500, more=SLOW))
    run.agents["b"].until_said("worker-1", "running")

    for number, host in enumerate(hosts):
        cut = "abc".index(host) or 1  # with home's cable all others are cut off
        again = hosts[:number].count(host) + 1
        cables.cut(host)
        run.home.until_told(f"worker/{cut} is unreachable", again)
        cables.heal(host)
        run.home.until_told(f"worker/{cut} is no longer unreachable", again)

    run.assert_ended(0)
    assert run.home.totals.restarts == ()
    assert_accounted(run.home, unknown=0)
    assert_sums(run.home, 1500)
    assert run.home.state("center") == {"n": 4500}
    assert run.home.totals.traffic.handled == 4500


def test_large_tensors_survive_a_cut_too(up: Start, cables: Cables) -> None:
    run = Hosts(up, cables, "abc", QUADRATIC)
    metrics = run.home.run / "metrics.jsonl"
    until(lambda: metrics.exists() and '"worker/1"' in metrics.read_text(), within=90)

    cables.cut("b")
    run.home.until_told("worker/1 is unreachable")
    cables.heal("b")

    run.assert_ended(0)
    assert run.home.totals.restarts == ()
    assert_accounted(run.home, unknown=0)
    assert {actor.steps for actor in run.home.totals.actors if actor.name != "center/0"} == {60}


def test_a_host_that_is_cut_off_for_too_long_ends_all_it_has_and_may_come_back(
    up: Start, cables: Cables
) -> None:
    run = Hosts(
        up, cables, "abc", CENTER + workers("a", "b", "c", steps=1500, more=SLOW + OFTEN), TIMES
    )
    other = run.agents["b"]
    other.until_kept("worker/1")

    cables.cut("b")
    run.home.until_told("host b is lost: nothing was heard of host b for 2 s")
    assert other.end() == 1
    other.until_nothing_is_left()
    cables.heal("b")
    other.again()

    run.assert_ended(0)
    (back,) = run.home.totals.restarts
    assert back.actor == "worker/1"
    assert run.home.state("worker/1") == {"t": 1500}
    assert run.home.totals.unaccounted == 0
