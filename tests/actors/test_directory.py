"""The directory answers where every actor lives and what it is."""

from __future__ import annotations

import pytest

from tether.actors.directory import Directory, Place
from tether.actors.link import Link


def test_an_actor_lives_where_it_was_entered() -> None:
    directory = Directory({"center/0": Place("p0", object)})

    directory.add("worker/0", Place("p1", object, incarnation=3, host="b"))

    assert directory.place("worker/0") == Place("p1", object, 3, "b")
    assert "center/0" in directory
    assert "center/1" not in directory


def test_an_actor_nobody_entered_is_an_error_that_names_those_there_are() -> None:
    directory = Directory({"center/0": Place("p0", object), "a/0": Place("p0", object)})

    with pytest.raises(LookupError, match="no actor worker/9 in this run; there are a/0, center/0"):
        directory.place("worker/9")


def test_the_dead_are_absent_until_their_next_incarnation_is_entered() -> None:
    directory = Directory({"center/0": Place("p0", object, host="a")})

    directory.died("center/0", "killed by signal 9", 2, final=False)
    dead = directory.absent("center/0"), dict(directory.down), directory.place("center/0")
    directory.add("center/0", Place("p0", object, 2, "a"))

    assert dead == (True, {"center/0": "killed by signal 9"}, Place("p0", object, 2, "a"))
    assert (directory.absent("center/0"), directory.down) == (False, {})


def test_who_will_not_come_back_is_gone_and_no_longer_down() -> None:
    directory = Directory({"center/0": Place("p0", object)})
    directory.died("center/0", "killed by signal 9", 2, final=False)

    directory.died("center/0", "3 restarts in 60 s were not enough", 3, final=True)

    assert (directory.down, directory.gone) == (
        {}, {"center/0": "3 restarts in 60 s were not enough"},
    )  # fmt: skip
    assert directory.absent("center/0")


@pytest.mark.parametrize("news", ["died", "add"])
def test_who_is_dead_or_back_is_not_unreachable(news: str) -> None:
    directory = Directory({"center/0": Place("p0", object)})
    directory.unreachable["center/0"] = "nothing heard for 5 s"

    if news == "died":
        directory.died("center/0", "killed by signal 9", 2, final=False)
    else:
        directory.add("center/0", Place("p0", object, 2))

    assert directory.unreachable == {}


def test_the_unreachable_are_not_absent() -> None:
    directory = Directory({"center/0": Place("p0", object)})

    directory.unreachable["center/0"] = "nothing heard for 5 s"

    assert not directory.absent("center/0")


def test_the_death_of_nobody_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(LookupError, match="there is no actor worker/9 in this run; there are a/0"):
        Directory({"a/0": Place("p", object)}).died("worker/9", "killed", 2, final=False)


def test_a_class_is_imported_when_it_is_first_spoken_to() -> None:
    directory = Directory({"x/0": Place("p", "tether.actors.link:Link"), "y/0": Place("p", Link)})

    assert directory.actor_class("x/0") is Link
    assert directory.actor_class("y/0") is Link


def test_a_class_within_a_class_is_found() -> None:
    directory = Directory({"x/0": Place("p", "tests.actors.test_directory:Outer.Inner")})

    assert directory.actor_class("x/0") is Outer.Inner


class Outer:
    class Inner:
        pass


def test_who_is_entered_as_dead_is_absent_whoever_told_of_it() -> None:
    directory = Directory({"center/0": Place("center", object), "worker/0": Place("w", object)})

    directory.down.update({"center/0": "killed"})
    directory.gone["worker/0"] = "it takes no part at present"

    assert directory.absent("center/0")
    assert directory.absent("worker/0")
