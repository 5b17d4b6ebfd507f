"""Failure: what a handler raises reaches its caller, and the actor lives on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.strangers import Between, Failing
from tether.actors import RemoteError
from tether.runners.world import World

WIRING = {
    "failing": {"actor": Failing},
    "between": {"actor": Between, "failing": "@failing", "beside": "failing"},
}
BUILT_IN: list[tuple[str, list[Any], type[Exception]]] = [
    ("ValueError", ["no such number"], ValueError),
    ("KeyError", ["key"], KeyError),
    ("ZeroDivisionError", [], ZeroDivisionError),
    ("OSError", [2, "there is no such file"], FileNotFoundError),
    ("UnicodeDecodeError", ["utf-8", b"\xff", 0, 1, "bad"], UnicodeDecodeError),
    ("TimeoutError", ["too late"], TimeoutError),
    ("AssertionError", [], AssertionError),
    ("Exception", ["any", 3, None], Exception),
]


def test_exceptions_of_built_in_types_arrive_as_themselves(play: Play) -> None:
    async def main(world: World) -> list[Exception]:
        failing, caught = world.ref(Failing, "failing"), []
        for kind, args, _ in BUILT_IN:
            with pytest.raises(Exception) as error:  # noqa: PT011 - all of it is looked at below
                await failing.fail(kind, args)
            caught.append(error.value)
        assert await failing.count() == len(BUILT_IN)
        return caught

    caught = play(WIRING, main)

    for error, (_, args, kind) in zip(caught, BUILT_IN, strict=True):
        assert (type(error), list(error.args)) == (kind, args)
        assert error.__notes__[0] == "in failing/0, Failing.fail, called by world"
        assert error.__notes__[1].startswith("the remote traceback:\nTraceback (most recent call")
        assert "strangers.py" in error.__notes__[1]


def test_an_error_of_the_system_still_says_which_file_it_is_about(play: Play) -> None:
    async def main(world: World) -> FileNotFoundError:
        with pytest.raises(FileNotFoundError) as caught:
            await world.ref(Failing, "failing").open("data/train.pt")
        return caught.value

    error = play(WIRING, main)

    assert str(error) == "[Errno 2] No such file or directory: 'data/train.pt'"
    assert error.filename == "data/train.pt"


def test_an_exception_group_arrives_as_one(play: Play) -> None:
    async def main(world: World) -> BaseException:
        with pytest.raises(ExceptionGroup) as caught:
            await world.ref(Failing, "failing").fail_in_a_group()
        return caught.value.exceptions[0]

    inner = play(WIRING, main)

    assert (type(inner), inner.args) == (ValueError, ("one of many",))


def test_exceptions_of_other_types_arrive_as_remote_errors_that_name_them(play: Play) -> None:
    async def main(world: World) -> list[Exception]:
        failing, caught = world.ref(Failing, "failing"), list[Exception]()
        for call in (
            failing.fail("Unknown", ["of a kind"]),
            failing.fail("Unwritable", []),
            failing.cancel(),
        ):
            with pytest.raises(RemoteError) as error:
                await call
            caught.append(error.value)
        assert await failing.count() == 2
        return caught

    unknown, unwritable, cancelled = play(WIRING, main)

    assert str(unknown) == "tests.conformance.strangers.Unknown: of a kind"
    assert str(unwritable).startswith("tests.conformance.strangers.Unwritable: a Unwritable that")
    assert str(cancelled).startswith("asyncio.exceptions.CancelledError")


def test_each_actor_on_the_way_leaves_its_note(play: Play) -> None:
    async def main(world: World) -> list[list[str]]:
        failing, between = world.ref(Failing, "failing"), world.ref(Between, "between")
        with pytest.raises(ValueError, match="no such number") as own:
            await failing.fail_with_a_note()
        with pytest.raises(RemoteError, match=r"strangers\.Unknown: of a kind") as remote:
            await between.fail("Unknown", ["of a kind"])
        return [own.value.__notes__, remote.value.__notes__]

    own, remote = play(WIRING, main)

    assert own[:2] == [
        "it was the seventh",
        "in failing/0, Failing.fail_with_a_note, called by world",
    ]
    assert [note for note in remote if note.startswith("in ")] == [
        "in failing/0, Failing.fail, called by between/0",
        "in between/0, Between.fail, called by world",
    ]


def test_one_ways_that_fail_are_handled_all_the_same(play: Play) -> None:
    async def main(world: World) -> int:
        failing = world.ref(Failing, "failing")
        await asyncio.gather(*(failing.fail_unseen() for _ in range(3)))
        return await failing.count()

    assert play(WIRING, main) == 0
    assert play.account("world", "failing/0")["handled"] == 4
