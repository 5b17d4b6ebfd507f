"""Batches: calls that wait are handled at once, in nobody's place, and answered one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.players import Oracle, Seeker
from tether.runners.world import World

WIRING = {"oracle": {"actor": Oracle}, "seeker": {"actor": Seeker, "oracle": "@oracle"}}


def test_a_batch_gathers_what_waits_up_to_its_size(play: Play) -> None:
    async def main(world: World) -> tuple[list[int | None], list[Any]]:
        oracle = world.ref(Oracle, "oracle")
        calls = [oracle.predict(state) for state in range(6)]
        _, *answers = await asyncio.gather(oracle.gather(6), *calls)
        return answers, await oracle.handled()

    answers, seen = play(WIRING, main)

    assert answers == [0, 10, 20, 30, 40, 50]
    assert seen == [[0, 1, 2, 3], [4, 5]]


def test_a_batch_passes_no_other_message_of_the_same_sender(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> list[Any]:
        oracle, seeker = world.ref(Oracle, "oracle"), world.ref(Seeker, "seeker")
        busy = asyncio.ensure_future(oracle.gather(5, gate.path))
        await gate.reached()
        gate.open()
        calls = [oracle.predict(0), oracle.predict(1), oracle.note(99), oracle.predict(2)]
        await asyncio.gather(busy, *calls, seeker.seek(3))
        return await oracle.handled()

    first, note, last = play(WIRING, main)

    assert ([state for state in first if state != 3], 3 in first) == ([0, 1], True)
    assert (note, last) == (99, [2])


def test_a_batch_that_may_wait_is_handled_at_once_when_it_is_full(play: Play) -> None:
    async def main(world: World) -> tuple[int, int]:
        oracle, seeker = world.ref(Oracle, "oracle"), world.ref(Seeker, "seeker")
        first = asyncio.ensure_future(oracle.pair(1))
        return await seeker.seek_pair(2), await first

    assert play(WIRING, main) == (3, 3)


def test_an_answer_that_is_an_exception_is_raised_at_its_caller_alone(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        oracle = world.ref(Oracle, "oracle")
        calls = [oracle.gather(3), *(oracle.predict(state) for state in (1, -1, 2))]
        return (await asyncio.gather(*calls, return_exceptions=True))[1:]

    one, missing, two = play(WIRING, main)

    assert (one, two) == (10, 20)
    assert (type(missing), missing.args) == (LookupError, ("no state -1",))


def test_a_batch_that_fails_fails_for_all_its_callers(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        oracle, failed = world.ref(Oracle, "oracle"), []
        for refuse in (oracle.lose_one, oracle.refuse):
            calls = [oracle.gather(2), refuse(0), refuse(1)]
            failed += (await asyncio.gather(*calls, return_exceptions=True))[1:]
        assert await oracle.predict(4) == 40
        return failed

    lost, lost_too, refused, refused_too = play(WIRING, main)

    for error in (lost, lost_too):
        assert type(error) is ValueError
        assert str(error) == "Oracle.lose_one was given 2 calls, but answered 1"
    for error in (refused, refused_too):
        assert (type(error), error.args) == (LookupError, ("none of 2",))


async def test_a_batched_handler_that_is_called_directly_gets_a_batch_of_one() -> None:
    oracle = Oracle()

    answer = await oracle.predict(3)

    assert (answer, oracle.seen) == (30, [[3]])
    with pytest.raises(LookupError, match="no state -1"):
        await oracle.predict(-1)
