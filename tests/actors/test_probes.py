"""Handlers that wait for each other in a ring are told; nobody else ever is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.actors.conftest import (
    SIDES,
    Air,
    Lossy,
    World,
    in_virtual_time,
    joined,
    lossy_world,
    memory_world,
    until,
)
from tether.actors import ActorGone, CallCycle, oneway, within
from tether.actors.packet import Window
from tether.actors.probes import Probes
from tether.actors.words import Probe, Wait

LATEST = 3.0
"""Seconds after which a ring is told at the latest."""


class Ring:
    """Asks on, as often as it is told to."""

    following: Any = None
    gate: asyncio.Barrier | None = None

    def __init__(self) -> None:
        self.told: list[str] = []

    async def _together(self) -> None:
        """Wait until all of the ring are at it."""
        if self.gate is not None:
            await self.gate.wait()

    async def around(self, hops: int) -> int:
        return 0 if hops == 0 else 1 + await self.following.around(hops - 1)

    async def cross(self, patience: float = 60) -> str:
        """Ask the next one in a ring, and say how that went."""
        await self._together()
        try:
            async with within(patience):
                await self.following.plain()
        except (CallCycle, TimeoutError, ActorGone) as error:
            self.told.append(str(error))
            return type(error).__name__
        return "answered"

    async def plain(self) -> None: ...

    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slow"

    async def ask_slow(self, seconds: float) -> str:
        answer: str = await self.following.slow(seconds)
        return answer

    async def tell(self) -> str:
        """Wait for room at the next one, and say how that went."""
        await self._together()
        try:
            while True:
                await self.following.note()
        except CallCycle as error:
            self.told.append(str(error))
            return "CallCycle"

    @oneway
    async def note(self) -> None: ...


def ring(world: World, size: int) -> list[Any]:
    """Make actors of which each knows the next; return handles on them."""
    sides = [SIDES[i % 2] for i in range(size)]
    for i, side in enumerate(sides):
        world.spawn(f"ring/{i}", Ring, at=side)
    gate = asyncio.Barrier(size)
    for i, side in enumerate(sides):
        world.actor(f"ring/{i}").following = world.ref(f"ring/{(i + 1) % size}", side)
        world.actor(f"ring/{i}").gate = gate
    return [world.ref(f"ring/{i}") for i in range(size)]


async def two_processes(window: Window | None = None) -> World:
    """Return two sides joined by a network that loses nothing."""
    air = Air(0, loss=0, double=0)
    return await joined({side: Lossy(side, air) for side in SIDES}, window)


async def gathered(asks: Iterable[Any]) -> list[str]:
    """Return what all have said, in order."""
    return list(await asyncio.gather(*asks))


def played(play: Callable[[World], Awaitable[Any]], *, one_process: bool = False) -> Any:
    """Play something in virtual time; return what it returned and how long it took."""

    async def main() -> Any:
        world = memory_world() if one_process else await two_processes()
        value = await play(world)
        seconds = asyncio.get_running_loop().time()
        await world.quiet()
        await world.close()
        return value, seconds

    return in_virtual_time(main())


@pytest.mark.parametrize("one_process", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_of_handlers_that_wait_for_each_other_in_a_ring_one_is_told_and_the_others_go_on(
    size: int, one_process: bool
) -> None:
    async def play(world: World) -> tuple[list[str], list[str]]:
        went = await gathered(member.cross() for member in ring(world, size))
        return went, [text for i in range(size) for text in world.actor(f"ring/{i}").told]

    (went, told), seconds = played(play, one_process=one_process)

    steps = [f"ring/{i}.Ring.cross" for i in range(size)]
    assert sorted(went) == ["CallCycle", *["answered"] * (size - 1)]
    assert told == ["handlers wait for each other in a ring: " + " → ".join([*steps, steps[0]])]
    assert seconds <= LATEST


@pytest.mark.parametrize("one_process", [True, False])
def test_a_call_that_waits_in_a_ring_is_dropped_where_it_waits(one_process: bool) -> None:
    async def play(world: World) -> Any:
        await gathered(member.cross() for member in ring(world, 2))
        await world.quiet()
        return [world.books(f"ring/{i}", f"ring/{1 - i}") for i in range(2)]

    (first, second), _ = played(play, one_process=one_process)

    assert (first["dropped"], first["handled"]) == ({"cycle": 1}, 0)
    assert (second["dropped"], second["handled"]) == ({}, 1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_call_that_comes_back_to_its_own_chain_is_told(size: int) -> None:
    async def play(world: World) -> int:
        first = ring(world, size)[0]
        with pytest.raises(CallCycle, match=r"in a ring: ring/0\.Ring\.around → "):
            await first.around(size)
        again: int = await first.around(size - 1)
        return again

    again, seconds = played(play)

    assert again == size - 1
    assert seconds <= LATEST


async def test_a_ring_over_zeromq_is_told_too(world: World) -> None:
    members = ring(world, 2)

    went = await gathered(member.cross() for member in members)

    assert sorted(went) == ["CallCycle", "answered"]


@pytest.mark.parametrize("one_process", [True, False])
def test_a_wait_for_room_is_a_wait_too(one_process: bool) -> None:
    async def main() -> tuple[list[str], str, float]:
        window = Window(messages=2)
        world = memory_world(window) if one_process else await two_processes(window)
        first, second = ring(world, 2)
        went = await gathered([first.tell(), second.cross()])
        seconds = asyncio.get_running_loop().time()
        (told,) = [text for i in range(2) for text in world.actor(f"ring/{i}").told]
        await world.quiet()
        await world.close()
        return went, told, seconds

    went, told, seconds = in_virtual_time(main())

    assert went == ["CallCycle", "answered"]
    assert told.endswith("in a ring: ring/0.Ring.tell → ring/1.Ring.cross → ring/0.Ring.tell")
    assert seconds <= LATEST


def test_two_rings_in_one_process_are_told_each() -> None:
    async def play(world: World) -> list[str]:
        members = ring(world, 2)
        others, gate = [world.spawn(f"other/{i}", Ring) for i in range(2)], asyncio.Barrier(2)
        for i in range(2):
            world.actor(f"other/{i}").following = others[1 - i]
            world.actor(f"other/{i}").gate = gate
        return await gathered(member.cross() for member in [*members, *others])

    went, seconds = played(play, one_process=True)

    assert sorted(went[:2]) == sorted(went[2:]) == ["CallCycle", "answered"]
    assert seconds <= LATEST


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4), loss=st.floats(0, 0.2))
def test_a_network_that_loses_and_doubles_probes_still_has_one_told(
    seed: int, size: int, loss: float
) -> None:
    async def main() -> list[str]:
        world = await lossy_world(seed, loss=loss)
        went = await gathered(member.cross() for member in ring(world, size))
        await world.quiet()
        await world.close()
        return went

    assert sorted(in_virtual_time(main())) == ["CallCycle", *["answered"] * (size - 1)]


def test_slow_handlers_are_no_ring() -> None:
    async def play(world: World) -> list[str]:
        members = ring(world, 3)
        return await gathered(member.ask_slow(20) for member in members[:2])

    went, seconds = played(play)

    assert went == ["slow", "slow"]
    assert seconds >= 20


@pytest.mark.parametrize("one_process", [True, False])
def test_a_life_may_wait_for_who_asks_it_back(one_process: bool) -> None:
    class Slow:
        async def slow(self, seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "slow"

        async def run(self) -> None:
            self.went = await self.to.ask_slow(10)

        to: Any

    async def lives(world: World) -> str:
        first = world.spawn("ring/0", Ring)
        world.spawn("slow/0", Slow, at="left")
        world.actor("slow/0").to = first
        world.actor("ring/0").following = world.ref("slow/0", at="right")
        done = asyncio.Event()
        world.cell("slow/0").live(lambda _name, _error: done.set())
        await done.wait()
        went: str = world.actor("slow/0").went
        return went

    went, seconds = played(lives, one_process=one_process)

    assert went == "slow"
    assert seconds >= 10


def test_an_ask_whose_time_ends_first_is_no_ring() -> None:
    async def play(world: World) -> list[str]:
        members = ring(world, 2)
        return await gathered([members[0].cross(0.9), members[1].cross()])

    went, seconds = played(play)

    assert went == ["TimeoutError", "answered"]
    assert seconds < 1


def test_what_a_handler_left_behind_is_not_what_its_actor_waits_for() -> None:
    async def play(world: World) -> tuple[str, str]:
        class Hasty(Ring):
            async def leave(self) -> None:
                """Return while a call of this turn is still under way."""
                self.asked = asyncio.ensure_future(self.following.cross(60))

        world.spawn("hasty/0", Hasty)
        other = world.spawn("ring/0", Ring, at="left")
        hasty = world.ref("hasty/0")
        world.actor("hasty/0").following = world.ref("ring/0", at="right")
        world.actor("ring/0").following = hasty
        await hasty.leave()
        await until(lambda: world.cell("ring/0").current is not None)
        slow: str = await hasty.slow(10)
        asked: str = await world.actor("hasty/0").asked
        await other.plain()
        return slow, asked

    went, _ = played(play)

    assert went == ("slow", "answered")


def test_a_wait_in_what_is_told_of_a_death_is_looked_into_too() -> None:
    async def play(world: World) -> list[str]:
        class Told(Ring):
            async def down(self, peer: object, why: Exception) -> None:
                self.told.append(await self.cross())

        world.spawn("told/0", Told, at="left")
        other = world.spawn("ring/0", Ring)
        world.spawn("dead/0", Ring, at="left")
        world.actor("ring/0").following = world.ref("told/0", at="right")
        world.actor("told/0").following = other
        world.actor("ring/0").gate = world.actor("told/0").gate = asyncio.Barrier(2)
        world.cell("told/0").post(world.actor("told/0").down, None, ActorGone())
        went: str = await other.cross()
        await until(lambda: len(world.actor("told/0").told) + (went == "CallCycle") == 2)
        return [went, *(text for text in world.actor("told/0").told if " " not in text)]

    went, seconds = played(play)

    assert sorted(went) == ["CallCycle", "answered"]
    assert seconds <= LATEST


def test_a_ring_that_was_never_whole_at_any_time_is_not_told() -> None:
    """A probe sees one wait after the other, so it may see a ring that there never was."""

    async def main() -> tuple[list[bool], list[str], set[int]]:
        world = memory_world()
        said: list[Probe] = []
        node = world.nodes["left"]
        probes = Probes(node.calls, node.cells, said.append)
        asked = asyncio.ensure_future(gathered(member.cross() for member in ring(world, 2)))
        await asyncio.sleep(1.6)
        mine = next(probe for probe in said if probe.initiator == "ring/0")
        done = []
        for other_ask, look in ((900, 1), (901, 2), (901, 2), (901, 3)):
            path = (*mine.path, Wait("ring/1.Ring.cross", other_ask))
            home = mine._replace(source="ring/1", target="ring/0", round=look, path=path)
            probes.take(home)
            await asyncio.sleep(0.01)
            done.append(asked.done())
        went = await asked
        await world.close()
        return done, went, {probe.round for probe in said}

    done, went, looks = in_virtual_time(main())

    assert done == [False, False, False, True]
    assert (went, looks) == (["CallCycle", "answered"], {1, 2})


@pytest.mark.parametrize("name", ["nobody/0", "ring/0"])
async def test_a_probe_that_comes_to_nobody_or_to_an_idle_actor_ends_there(
    memory: World, name: str
) -> None:
    ring(memory, 1)
    said: list[Probe] = []
    node = memory.nodes["left"]
    probes = Probes(node.calls, node.cells, said.append)

    probes.take(Probe("a/0", name, "a/0", 1, 1, (Wait("a/0.A.go", 1),)))

    assert said == []
    probes.close()
