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
