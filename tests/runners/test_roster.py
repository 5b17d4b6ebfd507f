"""What is known of all who take part, at every moment of their lives."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.runners.scripted import Life, Scripted
from tether.actors.journal import Key
from tether.runners.linker import link
from tether.runners.roster import Roster, State, names_of, nothing_remembered, up_of

LIVE = {"count": {"start": 1, "min": 1, "max": 2}}


def roster(restart: str = "transient", **incarnations: int) -> Roster:
    tables = {"a": {"actor": Life, "restart": restart}, "b": {"actor": Life, **LIVE}}
    plan = link(tables, Path(), name="x", importable=False)
    return Roster(plan, Random(0), {f"{name}/0": n for name, n in incarnations.items()})


def test_incarnations_go_on_from_those_there_were() -> None:
    known = roster(a=3)

    assert [entry.incarnation for entry in known] == [4, 1, 1]


@pytest.mark.parametrize(
    ("state", "lives", "returned", "awaited"),
    [
        ("off", False, False, False),
        ("starting", False, False, True),
        ("up", True, False, True),
        ("up", False, False, False),
        ("up", False, True, False),
        ("down", True, False, True),
        ("down", False, True, False),
        ("gone", False, False, False),
    ],
)
def test_a_run_goes_on_for_whose_life_is_not_over(
    state: State, lives: bool, returned: bool, awaited: bool
) -> None:
    known = roster()
    entry = known.entries["a/0"]

    entry.state, entry.lives, entry.returned = state, lives, returned

    assert known.goes_on() is awaited


def test_a_run_does_not_go_on_for_a_service() -> None:
    known = roster(restart="permanent")
    entry = known.entries["a/0"]

    entry.state, entry.lives = "up", True

    assert not known.goes_on()


def test_a_process_hosts_those_who_are_made_or_being_made_there() -> None:
    known = roster()
    known.entries["a/0"].state = "up"
    known.entries["b/0"].state = "down"

    assert names_of(known.of("b-0")) == ["b/0"]
    assert names_of(known.here("a-0")) == ["a/0"]
    assert known.here("b-0") == []


@pytest.mark.parametrize(
    ("final", "state", "lives"), [(False, "down", True), (True, "gone", False)]
)
def test_a_death_is_remembered_before_the_next_incarnation(
    final: bool, state: State, lives: bool
) -> None:
    known, remembered = roster(), list[dict[str, int]]()
    known.remember = remembered.append
    entry = known.entries["a/0"]
    entry.state, entry.lives, entry.unreachable = "up", True, True

    known.died(entry, "killed", final=final)

    assert (entry.state, entry.why, entry.lives, entry.unreachable) == (
        state,
        "killed",
        lives,
        False,
    )
    assert entry.incarnation == 2
    assert remembered == [{"a/0": 1, "b/0": 0, "b/1": 0}]


def test_who_is_lost_is_not_waited_for() -> None:
    known = roster()
    entry = known.entries["a/0"]
    entry.state, entry.lives = "down", True

    known.lost(entry, "it could not be made")

    assert (entry.state, entry.why, known.goes_on()) == ("gone", "it could not be made", False)


def test_an_incarnation_lives_until_its_death_and_in_good_order_to_the_end() -> None:
    known, member = roster(), Scripted("a-0", {})
    entry = known.entries["a/0"]
    entry.state = "up"

    alive = [known.alive("a/0", 1), known.alive("a/0", 2), known.alive("world", 1)]
    known.closed(member)
    entry.state = "off"

    assert alive == [True, False, True]
    assert known.alive("a/0", 1)


def test_who_has_left_in_good_order_has_lived_to_the_end() -> None:
    known = roster()
    known.entries["a/0"].state = "up"

    known.departed(known.entries["a/0"], "it has left")

    assert (known.entries["a/0"].state, known.entries["a/0"].incarnation) == ("gone", 2)
    assert known.alive("a/0", 1)
    assert not known.alive("a/0", 2)


def test_the_journals_of_the_dead_are_kept_once() -> None:
    known, first, second = roster(), Scripted("a-0", {}), Scripted("a-0", {})
    first.journal.row(Key("a/0", 1))[0] = 5
    second.journal.row(Key("a/0", 2))[0] = 7
    known.members["a-0"] = first

    known.bury(first)
    known.bury(first)
    known.members["a-0"] = second
    known.bury(first)

    assert [(key.local_incarnation, row[0]) for key, row in known.rows()] == [(1, 5), (2, 7)]
    assert known.living() == [second]


def test_the_starts_of_a_process_are_counted() -> None:
    known = roster()

    assert [known.start_process(name) for name in ("a-0", "a-0", "b-0")] == [1, 2, 1]


def test_who_begins_is_told_how_all_others_are() -> None:
    known = roster()
    known.entries["a/0"].state, known.entries["a/0"].why = "down", "killed"
    known.entries["b/0"].state, known.entries["b/0"].why = "gone", "exited"
    known.entries["a/0"].present = True

    assert known.snapshot() == {
        "incarnations": {"a/0": 1, "b/0": 1, "b/1": 1},
        "down": {"a/0": "killed"},
        "gone": {"b/0": "exited"},
        "off": ["b/1"],
        "present": ["a/0"],
    }


async def test_every_process_is_told_of_a_change() -> None:
    known, member = roster(), Scripted("a-0", {})
    known.members["a-0"] = member

    known.announce(up_of(known.entries["b/0"]))

    assert member.news == [{"what": "up", "actor": "b/0", "incarnation": 1}]


def test_incarnations_may_be_remembered_nowhere() -> None:
    assert nothing_remembered({"a/0": 1}) is None  # type: ignore[func-returns-value]
