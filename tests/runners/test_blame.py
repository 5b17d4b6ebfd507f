"""A life that only another's death has ended is not to blame."""

from __future__ import annotations

import pytest

from tether.actors.directory import Directory, Place
from tether.actors.errors import ActorGone
from tether.runners.blame import innocent, leaves

CENTER = ActorGone("center/0 is gone: killed", "center/0")
OTHER = ActorGone("other/0 is gone: killed", "other/0")


def places(*gone: str) -> Directory:
    names = ("center/0", "other/0")
    found = Directory({name: Place("p", object) for name in names})
    for name in names:
        found.died(name, "killed", 2, final=name in gone)
    return found


@pytest.mark.parametrize(
    "error", [CENTER, ExceptionGroup("both", [CENTER, ExceptionGroup("inner", [OTHER])])]
)
def test_who_lost_one_that_will_come_back_is_innocent(error: Exception) -> None:
    assert innocent(error, places())


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no data"),
        ExceptionGroup("both", [CENTER, ValueError("no data")]),
        ActorGone("somebody is gone"),
        ActorGone("a stranger is gone", "stranger/0"),
    ],
)
def test_who_has_an_error_of_its_own_or_lost_a_stranger_is_not(error: Exception) -> None:
    assert not innocent(error, places())


def test_who_lost_one_that_will_not_come_back_is_not() -> None:
    assert not innocent(ExceptionGroup("both", [CENTER, OTHER]), places("other/0"))


def test_groups_are_looked_into() -> None:
    error = ExceptionGroup("a", [CENTER, ExceptionGroup("b", [OTHER])])

    assert list(leaves(error)) == [CENTER, OTHER]
