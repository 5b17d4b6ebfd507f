"""Unreachable is not dead: who is silent is waited for, and nobody is started in its place."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually
from tests.conformance.mortals import Mortal, Watcher
from tests.conformance.worlds import needs
from tether.actors import within
from tether.runners.world import World


def wiring(play: Play) -> dict[str, Any]:
    mortal = {"actor": Mortal, "me": "@me", "folder": str(play.folder)}
    return {"mortal": mortal, "watcher": {"actor": Watcher}}


@needs("stop")
def test_who_is_stopped_is_waited_for_and_all_goes_on_when_it_does(play: Play) -> None:
    async def main(world: World) -> tuple[list[Any], list[Any], list[Any]]:
        mortal, watcher = world.ref(Mortal, "mortal"), world.ref(Watcher, "watcher")
        assert await watcher.speak_with(mortal) == 1
        play.hand.stop("mortal/0")
        waits = [asyncio.ensure_future(mortal.ask(number)) for number in range(3)]
        await asyncio.sleep(0)
        await mortal.note("a one-way")
        told = await eventually(watcher.was_told)
        assert not any(each.done() for each in waits)
        play.hand.go_on("mortal/0")
        answers = await asyncio.gather(*waits, mortal.ask("after"))
        return told, answers, await mortal.handled()

    told, answers, seen = play(wiring(play), main)

    ((peer, kind, why),) = told
    assert (peer, kind) == ("<Ref mortal/0>", "Unreachable")
    assert why.startswith("mortal/0 is unreachable: nothing was heard of its process for ")
    assert answers == [(0, 1), (1, 1), (2, 1), ("after", 1)]
    assert seen == [0, 1, 2, "a one-way", "after"]
    assert play.hand.returns("mortal/0") == []
    assert play.account("world", "mortal/0")["unknown"] == 0


@needs("stop")
def test_who_waits_for_one_who_is_stopped_may_wait_no_longer_and_is_told_why(play: Play) -> None:
    async def main(world: World) -> set[str]:
        mortal, watcher = world.ref(Mortal, "mortal"), world.ref(Watcher, "watcher")
        assert await watcher.speak_with(mortal) == 1
        play.hand.stop("mortal/0")
        await eventually(watcher.was_told)
        said = set()
        for _ in range(10):
            with pytest.raises(TimeoutError) as late:
                async with within(0.01):
                    await mortal.ask("too late")
            said.add(str(late.value))
        play.hand.go_on("mortal/0")
        return said

    said = max(play(wiring(play), main))

    text = "mortal/0: Mortal.ask was not answered within the time given; nothing was heard of its"
    assert said.startswith(text)


@needs("stop", "kill")
def test_who_is_killed_while_it_is_stopped_comes_back(play: Play) -> None:
    async def main(world: World) -> tuple[Any, list[str]]:
        mortal, watcher = world.ref(Mortal, "mortal"), world.ref(Watcher, "watcher")
        assert await watcher.speak_with(mortal) == 1
        play.hand.stop("mortal/0")
        waits = asyncio.ensure_future(mortal.ask("waits"))
        await eventually(watcher.was_told)
        play.hand.kill("mortal/0")
        return await waits, [kind for _, kind, _ in await watcher.was_told()]

    assert play(wiring(play), main) == (("waits", 2), ["Unreachable", "ActorGone"])
