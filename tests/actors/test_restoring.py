"""An actor that comes back alone is told so, and nobody else is."""

from __future__ import annotations

import asyncio

import pytest

from tether.actors.restoring import alone, together


def test_states_come_together_unless_an_actor_comes_back_alone() -> None:
    before = together.get()

    with alone():
        during = together.get()

    assert (before, during, together.get()) == (True, False, True)


def test_a_failed_load_leaves_nothing_behind() -> None:
    with pytest.raises(OSError, match="damaged"), alone():
        raise OSError("damaged")

    assert together.get()


async def test_who_is_restored_meanwhile_is_not_alone() -> None:
    inside, seen = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        with alone():
            inside.set()
            await seen.wait()

    task = asyncio.create_task(one())
    await inside.wait()

    found = together.get()

    seen.set()
    await task
    assert found
