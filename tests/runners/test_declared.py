"""What protocols have declared to hold is found beside them, and checked while they run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runners.worlds import Counter, cell
from tests.runners.worlds import plan as planned
from tether.actors import codec
from tether.actors.link import Link
from tether.actors.message import Kind, Message
from tether.actors.packet import Pair
from tether.actors.ref import Ref, make_ref
from tether.runners.declared import Call, Declared, Leak, Life, classes
from tether.runners.linker import link
from tether.runners.promises import Flight, Number
from tether.runners.spec import Plan

ACTOR = """
class Actor:
    async def add(self, k: int) -> int:
        return k

class Other(Actor): ...
"""
INVARIANTS = """
class Logs:
    def __init__(self, view):
        self.view, self.seen, self.wrong = view, [], ""

    def made(self, life, actor):
        self.seen.append(("made", life, actor))

    def before(self, name, work):
        self.seen.append(("before", name, work))

    def after(self, name, work):
        self.seen.append(("after", name, work))

    def answered(self, call, answer):
        self.seen.append(("answered", call, answer))

    def check(self):
        return self.wrong

class Holds(Logs): ...

INVARIANTS = (Logs, Holds)
"""
COUNTER = Pair("adder/0", "counter/0", 1, 2)
EMPTY = codec.encode([[], {}])


class Taker:
    async def add(self, who: Ref[Counter]) -> None: ...


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with two modules of actors, one of which has declared something."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "moved.py").write_text(ACTOR)
    (tmp_path / "moved_invariants.py").write_text(INVARIANTS)
    (tmp_path / "unmoved.py").write_text(ACTOR)
    yield tmp_path
    for name in ("moved", "moved_invariants", "unmoved"):
        sys.modules.pop(name, None)


def plan(folder: Path, *actors: str) -> Plan:
    tables = {f"table{number}": {"actor": actor} for number, actor in enumerate(actors)}
    return link(tables, folder, name="x", importable=False)


class Watched:
    """A run that a protocol's invariants see."""

    def __init__(self, plan: Plan) -> None:
        self.now = 0.0
        self.living: dict[str, Any] = {}
        self.flights: dict[Number, Flight] = {}
        self.broken: list[str] = []
        self.declared = Declared(
            plan, lambda: self.now, lambda: self.living, self.flights, self.broken.append
        )

    def make(self, name: str, actor: Any, incarnation: int = 1) -> None:
        made = cell(name, incarnation)
        made.actor = self.living[name] = actor
        self.declared.made(made)

    def fly(self, number: int, incarnation: int, *args: Any, **kwargs: Any) -> None:
        """Have a call of the adder to the counter under way."""
        message = Message(Kind.ASK, number, "add", codec.encode([list(args), kwargs]))
        flight = Flight("counter/0", incarnation, message, 0.0, 0)
        self.flights["adder/0", 1, number] = flight


def test_what_stands_beside_the_module_of_an_actor_is_found_once(folder: Path) -> None:
    found = classes(plan(folder, "moved:Actor", "unmoved:Actor", "moved:Other"))

    assert [cls.__name__ for cls in found] == ["Logs", "Holds"]


def test_a_protocol_that_declares_nothing_has_no_invariants(folder: Path) -> None:
    assert classes(plan(folder, "unmoved:Actor")) == []
    assert classes(planned()) == []


def test_an_actor_of_a_module_that_is_no_longer_there_has_none(folder: Path) -> None:
    made = plan(folder, "moved:Actor")
    sys.modules.pop("moved")
    for file in folder.glob("moved*.py"):
        file.unlink()

    assert classes(made) == []


def test_what_easgd_declares_is_found() -> None:
    made = planned()
    spec = replace(made.actor("counter"), actor="tether.protocols.easgd:Center")

    (found,) = classes(replace(made, actors=(spec,)))

    assert found.__name__ == "Conservation"


def test_invariants_see_what_happens_as_it_happens(folder: Path) -> None:
    watched = Watched(plan(folder, "moved:Actor"))
    (logs, holds) = watched.declared.invariants
    counter, actor = cell("counter/0", 2), Counter()
    message = Message(Kind.ASK, 4, "add", EMPTY)
    message.link = Link(bytearray, pair=COUNTER.turned)

    watched.make("counter/0", actor, incarnation=2)
    watched.declared.before("worker/0", "step")
    watched.declared.after("worker/0", "step")
    watched.declared.answered(counter, message, 5)

    for invariant in (logs, holds):
        assert vars(invariant)["seen"] == [
            ("made", Life("counter/0", 2), actor),
            ("before", "worker/0", "step"),
            ("after", "worker/0", "step"),
            ("answered", Call(Life("adder/0", 1), Life("counter/0", 2), "add", ()), 5),
        ]


def test_who_declares_nothing_is_told_nothing() -> None:
    watched = Watched(planned())
    message = Message(Kind.ASK, 4, "add", EMPTY)
    message.link = Link(bytearray, pair=COUNTER.turned)

    watched.declared.answered(cell(), message, 5)
    watched.declared.check()

    assert (watched.declared.invariants, watched.broken) == ([], [])


def test_what_is_wrong_is_told_with_the_name_of_the_invariant(folder: Path) -> None:
    watched = Watched(plan(folder, "moved:Actor"))
    invariant: Any = watched.declared.invariants[1]

    watched.declared.check()
    before = [*watched.broken]
    invariant.wrong = "the sum is off by 3"
    watched.declared.check()

    assert before == []
    assert watched.broken == ["Holds: the sum is off by 3"]


def test_an_invariant_that_cannot_look_is_broken_too(folder: Path) -> None:
    watched = Watched(plan(folder, "moved:Actor"))
    invariant: Any = watched.declared.invariants[0]
    invariant.seen = None

    watched.declared.before("worker/0", "step")

    assert watched.broken == [
        "Logs: before raised AttributeError: 'NoneType' object has no attribute 'append'"
    ]


def test_leaks_are_kept_with_their_times(folder: Path) -> None:
    watched = Watched(plan(folder, "moved:Actor"))
    view: Any = vars(watched.declared.invariants[0])["view"]

    watched.now = 2.5
    view.leak("worker/0 died", 0.25)
    watched.now = 4.0
    view.leak("worker/0 came back", 1.0)

    assert watched.declared.leaks == [
        Leak(2.5, "worker/0 died", 0.25), Leak(4.0, "worker/0 came back", 1.0)
    ]  # fmt: skip


def test_invariants_see_the_living(folder: Path) -> None:
    watched = Watched(plan(folder, "moved:Actor"))
    view: Any = vars(watched.declared.invariants[0])["view"]
    actor = Counter()

    watched.make("counter/0", actor)
    alive: Mapping[str, Any] = {**view.actors}
    del watched.living["counter/0"]

    assert (alive, dict(view.actors)) == ({"counter/0": actor}, {})


def test_calls_under_way_are_seen_with_what_they_hold() -> None:
    watched = Watched(planned())
    watched.make("counter/0", Counter(), incarnation=2)

    watched.fly(4, 2, 10)
    watched.fly(5, 2, k=20)

    source, target = Life("adder/0", 1), Life("counter/0", 2)
    assert list(watched.declared.under_way()) == [
        Call(source, target, "add", (10,)), Call(source, target, "add", (20,))
    ]  # fmt: skip


def test_calls_to_the_dead_are_lost_and_those_to_who_comes_next_are_not() -> None:
    watched = Watched(planned())
    watched.fly(1, 1, 10)
    nobody = list(watched.declared.under_way())
    watched.make("counter/0", Counter(), incarnation=2)

    watched.fly(2, 2, 20)
    watched.fly(3, 3, 30)

    assert nobody == []
    assert [call.args for call in watched.declared.under_way()] == [(20,), (30,)]
    assert [call.args for call in watched.declared.unbegun()] == [(10,), (20,), (30,)]


def test_handles_in_calls_under_way_are_names() -> None:
    office: Any = None
    watched = Watched(planned())
    watched.make("counter/0", Taker())

    watched.fly(1, 1, make_ref("adder/1", office))

    (call,) = watched.declared.under_way()
    assert call.args == ("adder/1",)
