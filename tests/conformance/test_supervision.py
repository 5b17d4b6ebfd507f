"""Supervision: who comes back is said in the wiring, and so is when it is enough."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually, until
from tests.conformance.mortals import Brief, Mortal
from tether.actors import ActorGone
from tether.runners.world import World


def wiring(play: Play, actor: type = Mortal, **more: Any) -> dict[str, Any]:
    """Return a wiring of a mortal, with keys of its own, and of one who lives on."""
    mortal = {"actor": actor, "me": "@me", "folder": str(play.folder), **more}
    return {"mortal": mortal, "other": {**mortal, "actor": Mortal, "restart": "transient"}}


def test_who_dies_comes_back_as_another_object(play: Play, death: str) -> None:
    tables = wiring(play)
    tables["other"]["restart"] = "permanent"

    async def main(world: World) -> list[Any]:
        came = []
        for name in ("mortal", "other"):
            mortal = world.ref(Mortal, name)
            await mortal.ask("in its first life")
            play.hand.end(f"{name}/0", death)
            await eventually(partial(life, mortal), lambda incarnation: incarnation == 2)
            came.append((await mortal.who(), await mortal.handled()))
        return came

    assert play(tables, main) == [(2, []), (2, [])]
    for name in ("mortal/0", "other/0"):
        (back,) = play.hand.returns(name)
        assert (back.incarnation, back.in_place) == (2, death == "crash")
    assert play.world.result is not None
    assert play.world.result.outcome == "stopped"


async def life(mortal: Mortal) -> int:
    """Return which incarnation a mortal is; 1 while it is not known of which it dies."""
    try:
        return await mortal.who()
    except ActorGone:
        return 1


def test_who_is_temporary_does_not_come_back_and_the_run_goes_on(play: Play, death: str) -> None:
    async def main(world: World) -> str:
        mortal, other = world.ref(Mortal, "mortal"), world.ref(Mortal, "other")
        play.hand.end("mortal/0", death)
        await until(lambda: play.hand.is_gone("mortal/0"))
        assert await other.ask("it lives") == ("it lives", 1)
        return await why_gone(mortal)

    why = play(wiring(play, restart="temporary"), main)

    assert why.startswith("mortal/0 is gone: ")
    assert play.hand.returns("mortal/0") == []
    assert play.world.result is not None
    assert (play.world.result.outcome, play.world.result.reason) == ("stopped", "")


async def why_gone(mortal: Mortal) -> str:
    """Ask one who will not come back until that is known; return what the asks fail with."""
    while True:
        try:
            await mortal.ask("anybody?")
        except ActorGone as gone:
            return str(gone)


def test_a_life_that_returns_is_the_death_of_who_is_permanent_alone(play: Play) -> None:
    tables = wiring(play, Brief)
    tables["other"] |= {"actor": Brief, "restart": "permanent", "beside": "mortal"}

    async def main(world: World) -> list[int]:
        for name in ("mortal/0", "other/0"):
            play.hand.crash(name)  # which for these is to return
        entries = world._conductor.roster.entries
        await until(lambda: not entries["mortal/0"].lives and play.hand.returns("other/0"))
        return [await world.ref(Brief, name).who() for name in ("mortal", "other")]

    assert play(tables, main) == [1, 2]
    assert play.hand.returns("mortal/0") == []


def test_who_dies_too_often_is_given_up_and_its_asks_fail(play: Play, death: str) -> None:
    async def main(world: World) -> tuple[str, str]:
        mortal, other = world.ref(Mortal, "mortal"), world.ref(Mortal, "other")
        for incarnation in (1, 2, 3):
            await eventually(partial(life, mortal), incarnation.__eq__)
            play.hand.end("mortal/0", death)
            await until(partial(play.hand.has_ended, "mortal/0", incarnation))
        why = await why_gone(mortal)
        assert await other.ask("it lives") == ("it lives", 1)
        world._conductor.stop()
        with pytest.raises(RuntimeError) as failed:
            await world.finished()
        return why, str(failed.value)

    why, failed = play(wiring(play, max_restarts=2), main)

    assert why.startswith("mortal/0 is gone: ")
    assert failed.startswith("mortal/0 was given up: ")
    assert failed.endswith("; 2 restarts in 60 s were not enough")
    assert [back.incarnation for back in play.hand.returns("mortal/0")] == [2, 3]
