"""Code knows which actor it acts for, and what memory that was given."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import World
from tether.actors.context import Acting, acting, deadline, ending


async def test_a_life_acts_for_its_actor_with_an_empty_chain(world: World) -> None:
    async def play() -> Acting | None:
        return acting.get()

    here = await world.act(play)

    assert here is not None
    assert (here.cell.name, here.chain, deadline.get()) == ("script/0", (), None)


async def test_a_handler_acts_on_behalf_of_its_callers(memory: World) -> None:
    class Last:
        async def chain(self) -> list[str]:
            here = acting.get()
            assert here is not None
            return [name for name, _ in here.chain]

    class First:
        async def chain(self) -> list[str]:
            names: list[str] = await last.chain()
            return names

    last = memory.spawn("last/0", Last)
    first = memory.spawn("first/0", First)

    assert await memory.act(first.chain) == ["first/0", "last/0"]


def test_outside_an_actor_nobody_acts() -> None:
    assert acting.get() is None


async def test_memory_given_out_here_is_known_here(memory: World) -> None:
    memory.spawn("a/0", object)
    here = Acting(memory.cell("a/0"))
    before = here.owns(64)

    here.gave(64)

    assert (before, here.owns(64), here.owns(65)) == (False, True, False)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_time_is_never_longer_for_being_told_by_its_end(now: float, seconds: float) -> None:
    end = ending(now, seconds)

    assert now <= end
    assert end - now <= seconds
    assert math.isclose(end, now + seconds, rel_tol=1e-15)


def test_a_sum_that_is_rounded_up_ends_before_it() -> None:
    now, seconds = 6.2, 7.1

    assert (now + seconds) - now > seconds
    assert ending(now, seconds) - now <= seconds
