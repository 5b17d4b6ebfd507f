"""Checkpoints: who comes back goes on from its last one, and what is undone by that is told."""

from __future__ import annotations

from typing import Any

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually, until
from tests.conformance.mortals import Keeper, Mortal, Stepper
from tether.runners.world import World


def wiring(play: Play, actor: type) -> dict[str, Any]:
    return {"mortal": {"actor": actor, "me": "@me", "folder": str(play.folder)}}


def test_who_comes_back_goes_on_from_its_last_checkpoint(play: Play, death: str) -> None:
    async def main(world: World) -> list[Any]:
        mortal = world.ref(Keeper, "mortal")
        for item in range(3):
            await mortal.ask(item)
        await play.hand.keep()
        for item in range(3, 5):
            await mortal.ask(item)
        play.hand.end("mortal/0", death)
        await until(lambda: play.hand.returns("mortal/0"))
        assert await mortal.ask("next") == ("next", 2)
        return await mortal.handled()

    seen = play(wiring(play, Keeper), main)

    assert seen == [0, 1, 2, "next"]
    (back,) = play.hand.returns("mortal/0")
    assert (back.incarnation, back.rolled_back_messages, bool(back.checkpoint)) == (2, 2, True)
    assert play.account("world", "mortal/0")["handled"] == 7


def test_who_has_no_checkpoint_begins_afresh(play: Play, death: str) -> None:
    async def main(world: World) -> list[Any]:
        mortal = world.ref(Mortal, "mortal")
        await mortal.ask("lost")
        await play.hand.keep()
        play.hand.end("mortal/0", death)
        await until(lambda: play.hand.returns("mortal/0"))
        return await mortal.handled()

    assert play(wiring(play, Mortal), main) == []
    (back,) = play.hand.returns("mortal/0")
    assert (back.rolled_back_messages, back.checkpoint) == (1, "")


async def five_more_steps(mortal: Stepper) -> None:
    """Wait until a life has made five steps."""
    begun = await mortal.reached()
    await eventually(mortal.reached, lambda reached: reached >= begun + 5)


def test_a_life_is_kept_between_two_steps_only(play: Play, death: str) -> None:
    async def main(world: World) -> list[tuple[int, int]]:
        mortal = world.ref(Stepper, "mortal")
        came: list[tuple[int, int]] = []
        for _ in range(2):
            await five_more_steps(mortal)
            await play.hand.keep()
            await five_more_steps(mortal)
            play.hand.end("mortal/0", death)
            await until(lambda: len(play.hand.returns("mortal/0")) > len(came))
            came.append(await mortal.came_back_with())
        return came

    came = play(wiring(play, Stepper), main)

    assert [begun for begun, _ in came] == [ended for _, ended in came]
    assert 5 <= came[0][0] < came[1][0]
    for back, (_, step) in zip(play.hand.returns("mortal/0"), came, strict=True):
        assert back.step == step
        assert back.rolled_back_steps >= 4
