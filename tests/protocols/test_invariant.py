from __future__ import annotations

import inspect
from typing import Any

import pytest

from tests.simulation.players import CENTER, Seen, in_turn, played, wiring
from tether.protocols import easgd_invariants
from tether.protocols.easgd import Center, Worker
from tether.protocols.easgd_invariants import Conservation
from tether.protocols.invariant import Call, Invariant, Life, View
from tether.runners import declared
from tether.runners.declared import Declared
from tether.runners.simulation import Simulation

WORKER = "worker/0"


class Watcher:
    """An invariant that notes all it sees, and leaks and complains at the end."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.seen: list[tuple[Any, ...]] = []
        self.under_way: list[tuple[Any, ...]] = []
        self.living: set[str] = set()

    def made(self, life: Life, actor: Any) -> None:
        self.seen.append(("made", *life, type(actor)))

    def before(self, name: str, work: str) -> None:
        self.seen.append(("before", name, work))
        if work == "gradient":
            self.under_way += [(*call[:3], call.args[0].tolist()) for call in self.view.under_way()]
            self.living |= set(self.view.actors)
            self.view.leak("a gradient takes heat away", 0.25)

    def after(self, name: str, work: str) -> None:
        self.seen.append(("after", name, work))

    def answered(self, call: Call, answer: Any) -> None:
        self.seen.append(("answered", *call[:3], call.args, answer.tolist()))

    def check(self) -> str:
        return "all is noted, and nothing holds"


def public(cls: type) -> dict[str, list[str]]:
    """Return what a class has for others: each method's parameters; of a property, none."""
    return {
        name: [] if isinstance(member, property) else [*inspect.signature(member).parameters]
        for name, member in vars(cls).items()
        if not name.startswith("_")
    }


def shown(by_runners: Declared) -> View:
    """Return what runners show: a view, but for its calls, whose type is the runners' own."""
    return by_runners


def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[Watcher, Simulation]:
    """Have a run of one worker, of one step, watched."""
    monkeypatch.setattr(easgd_invariants, "INVARIANTS", (Watcher,))
    tables = wiring({"actor": Center, "alpha": 0.25}, 1, 1, eta=0.5, start=4.0)
    _, simulation = played(tables, in_turn(1, 1))
    (watcher,) = simulation.declared.invariants
    assert isinstance(watcher, Watcher)
    assert watcher.view is shown(simulation.declared)
    return watcher, simulation


def test_conservation_is_an_invariant_to_protocols_and_to_runners() -> None:
    for_protocols: Invariant = Conservation(Seen())
    for_runners: declared.Invariant = for_protocols

    has, wanted = public(type(for_runners)), public(Invariant)

    assert wanted == public(declared.Invariant)
    assert {name: has[name] for name in wanted} == wanted


def test_what_runners_show_is_the_view_that_protocols_see() -> None:
    has, wanted = public(Declared), public(View)

    assert {name: has[name] for name in wanted} == wanted


@pytest.mark.parametrize(("ours", "theirs"), [(Life, declared.Life), (Call, declared.Call)])
def test_lives_and_calls_are_the_same_to_protocols_and_to_runners(ours: Any, theirs: Any) -> None:
    fields, others = ours._fields, theirs._fields

    assert fields == others
    assert ours(*fields) == theirs(*fields)


def test_an_invariant_sees_all_that_happens_as_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, _ = watched(monkeypatch)

    made = {("made", CENTER, 1, Center), ("made", WORKER, 1, Worker)}
    life, center = Life(WORKER, 1), Life(CENTER, 1)
    assert set(watcher.seen[:2]) == made
    assert watcher.seen[2:] == [
        ("answered", life, center, "pull", (), [4.0]),
        ("before", WORKER, "apply"),
        ("after", WORKER, "apply"),
        ("before", WORKER, "gradient"),
        ("after", WORKER, "gradient"),
        ("answered", life, center, "exchange", (), [0.0]),
        ("before", WORKER, "apply"),
        ("after", WORKER, "apply"),
        ("before", WORKER, "step"),
        ("after", WORKER, "step"),
    ]


def test_a_view_shows_who_lives_and_which_calls_are_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher, _ = watched(monkeypatch)

    assert watcher.living == {CENTER, WORKER}
    assert watcher.under_way == [(Life(WORKER, 1), Life(CENTER, 1), "exchange", [4.0])]


def test_what_leaks_and_what_does_not_hold_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _, simulation = watched(monkeypatch)

    (leak,) = simulation.declared.leaks
    assert (leak.why, leak.size) == ("a gradient takes heat away", 0.25)
    assert leak.t > 0
    assert all("Watcher: all is noted, and nothing holds" in each for each in simulation.broken)
    assert simulation.broken
