"""References against annotations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import pytest

from tether.actors.group import Group
from tether.actors.ref import Ref
from tether.runners.handles import group, handle, names_all
from tether.runners.imports import Imports
from tether.runners.problems import Problems, Where, WiringError
from tether.runners.references import Reference, Seat
from tether.runners.scene import Scene
from tether.runners.spec import Bounds
from tether.runners.values import GroupOf, RefTo

WHERE = Where("peer", ("x",))


class Peer:
    async def push(self, x: float) -> None: ...


class Pushed(Protocol):
    async def push(self, x: float) -> None: ...


class Pulled(Protocol):
    async def pull(self) -> float: ...


def scene() -> Scene:
    problems = Problems()
    classes: dict[str, type | None] = {"peer": Peer, "lost": None}
    counts = {"peer": 3, "lost": 1}
    return Scene(Seat("peer", 2), {}, classes, counts, Imports(problems), problems)


@pytest.mark.parametrize(
    ("reference", "hint", "value"),
    [
        (Reference("peer", "+1"), Ref[Peer], RefTo("peer/0")),
        (Reference("peer", "+1"), Ref[Pushed], RefTo("peer/0")),
        (Reference("peer", "+1"), Ref, RefTo("peer/0")),
        (Reference("me", ""), Ref[Peer] | None, RefTo("peer/2")),
        (Reference("peer", "others"), Group[Peer], GroupOf(("peer/0", "peer/1"))),
        (Reference("lost", ""), Ref[Peer], RefTo("lost/0")),
        (Reference("peer", "*"), Any, GroupOf(("peer/0", "peer/1", "peer/2"))),
    ],
)
def test_a_reference_that_fits_is_a_handle(reference: Reference, hint: Any, value: Any) -> None:
    here = scene()

    found = handle(reference, hint, WHERE, here)

    assert found == value
    assert len(here.problems) == 0


@pytest.mark.parametrize(
    ("reference", "hint", "problem"),
    [
        (Reference("peer", "0"), Ref[Pulled], r"\[peer\] is a Peer, but a Pulled is wanted"),
        (Reference("peer", "0"), Group[Peer], r"write @peer\[\*\] or an array of references"),
        (Reference("peer", "*"), Ref[Peer], r"names several actors, but Ref\[Peer\] is wanted"),
        (Reference("peer", "0"), Peer, r"Peer is wanted; annotate the parameter Ref\[...\]"),
        (Reference("peer", "*"), list[Peer], r"annotate the parameter Group\[...\] to talk"),
    ],
)
def test_a_reference_that_does_not_fit_says_how(
    reference: Reference, hint: Any, problem: str
) -> None:
    here = scene()

    handle(reference, hint, WHERE, here)

    with pytest.raises(WiringError, match=problem):
        here.problems.check()


def test_a_member_named_twice_is_one_member() -> None:
    here = scene()

    found = group(["@peer[+1]", "@peer[-2]", "@peer[*]"], Group[Peer], WHERE, here)

    assert found == GroupOf(("peer/0", "peer/1", "peer/2"))


def test_only_arrays_of_references_alone_are_groups() -> None:
    assert names_all(["@a", "@b[*]"])
    assert not names_all(["@a", "b"])
    assert not names_all(["@@a"])
    assert not names_all([])


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (["@peer[*]"], GroupOf(("peer/0", "peer/1", "peer/2"), "peer")),
        (["@peer[others]"], GroupOf(("peer/0", "peer/1"), "peer", "peer/2")),
        (["@peer[0]", "@lost"], GroupOf(("peer/0", "lost/0"))),
    ],
)
def test_a_group_of_a_whole_live_table_follows_it(raw: list[str], value: GroupOf) -> None:
    here = replace(scene(), seat=Seat("peer", 2, {"peer": Bounds(3, 1, 3)}))

    found = group(raw, Group[Peer], WHERE, here)

    assert found == value
    assert len(here.problems) == 0


def test_a_group_that_follows_a_table_stands_alone() -> None:
    here = replace(scene(), seat=Seat("peer", 2, {"peer": Bounds(3, 1, 3)}))

    group(["@lost", "@peer[others]"], Group[Peer], WHERE, here)

    with pytest.raises(WiringError, match=r"a group that follows \[peer\] cannot have others; wri"):
        here.problems.check()
