from __future__ import annotations

import asyncio
from math import inf

import pytest

from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.arrivals import Arrivals


async def waits(arrivals: Arrivals, t: int) -> bool:
    """Tell whether something has still to come."""
    waiting = asyncio.ensure_future(arrivals.until(t))
    await asyncio.sleep(0)
    if waiting.done():
        return False
    waiting.cancel()
    return True


async def test_a_step_is_awaited_until_all_before_it_have_come_too() -> None:
    arrivals = Arrivals()

    arrivals.add(1)
    first = await waits(arrivals, 1)
    arrivals.add(0)

    assert first
    assert not await waits(arrivals, 1)
    assert await waits(arrivals, 2)


async def test_steps_below_0_are_not_awaited_and_one_that_comes_twice_counts_once() -> None:
    arrivals = Arrivals()

    arrivals.add(0)
    arrivals.add(0)

    assert not await waits(arrivals, -1)
    assert (arrivals.upto, arrivals.beyond) == (1, set())


async def test_who_waits_goes_on_when_nothing_is_awaited_any_more() -> None:
    arrivals = Arrivals()
    waiting = asyncio.ensure_future(arrivals.until(5))
    await asyncio.sleep(0)

    arrivals.unbound()
    await waiting

    assert arrivals.upto == 0


async def test_what_takes_too_long_is_missed_and_what_came_meanwhile_is_not() -> None:
    arrivals = Arrivals(patience=0.01)
    for t in (1, 4, 5):
        arrivals.add(t)

    await arrivals.until(3)

    assert (arrivals.upto, arrivals.beyond, arrivals.missed) == (6, set(), 3)  # 0, 2 and 3
    assert not await waits(arrivals, 5)
    assert await waits(arrivals, 6)


def test_a_patience_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="patience is inf, but a finite time above 0 s is wanted"):
        Arrivals(patience=inf)


async def test_who_comes_into_a_run_that_goes_on_waits_for_nothing() -> None:
    first = Arrivals()
    first.add(0)

    with alone():
        arrivals = Arrivals()
        arrivals.load_state_dict(load(dump(first.state_dict())))

    assert not await waits(arrivals, 5)


def test_what_has_come_is_kept() -> None:
    first, second = Arrivals(), Arrivals()
    for t in (0, 1, 3):
        first.add(t)
    first.missed = 2

    second.load_state_dict(load(dump(first.state_dict())))

    assert (second.upto, second.beyond, second.bounded, second.missed) == (2, {3}, True, 2)
