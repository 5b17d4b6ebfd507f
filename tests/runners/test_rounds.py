"""Rounds of checkpoints: complete when all have kept their states, and held up by nobody dead."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.runners.scripted import A_AND_B, ENDLESS, Answers, Scene, nothing
from tether.runners.result import Start

LONG = 1000.0


def taking(*names: str) -> Answers:
    return lambda cut: [["taking", cut, list(names)]]


def keeping(name: str) -> Answers:
    return lambda cut: [["taking", cut, [name]], ["took", name, cut], ["kept", name, cut]]


A = {**ENDLESS, "round": keeping("a/0")}
B = {**ENDLESS, "round": keeping("b/0")}


async def begun(a: Any = A, b: Any = B, **times: float) -> Scene:
    scene = Scene(A_AND_B, {"a-0": a, "b-0": b}, times=times)
    await scene.run.start()
    return scene


async def ended(scene: Scene) -> None:
    scene.run.stop()
    await scene.run.finish()


async def test_a_round_is_complete_when_all_have_kept_their_states() -> None:
    scene = await begun()

    await scene.run.rounds.take(LONG)

    assert scene["a-0"].orders[1:] == [["round", 1], ["end_round", 1]]
    assert scene.run.rounds.last == 1
    await ended(scene)


async def test_those_without_a_life_are_asked_when_all_lives_have_kept_theirs() -> None:
    scene = await begun(a={**ENDLESS, "round": taking("a/0")})

    taken = asyncio.ensure_future(scene.run.rounds.take(LONG))
    await scene.until(lambda: "round" in scene["b-0"].words)
    before = list(scene["b-0"].words)
    scene["a-0"].say("kept", "a/0", 1)
    await taken

    assert "end_round" not in before
    assert scene["b-0"].words[-1] == "end_round"
    await ended(scene)


async def test_rounds_are_numbered_on_and_what_is_late_for_one_does_not_count_for_the_next() -> (
    None
):
    scene = Scene(
        A_AND_B, {"a-0": {**ENDLESS, "round": taking("a/0")}, "b-0": B}, start=Start(round=7)
    )
    await scene.run.start()

    await scene.run.rounds.take(0.01)
    taken = asyncio.ensure_future(scene.run.rounds.take(LONG))
    await scene.until(lambda: scene["a-0"].orders[-1] == ["round", 9])
    scene["a-0"].say("kept", "a/0", 8)
    scene["a-0"].say("took", "a/0", 8)
    scene["a-0"].say("taking", 8, ["a/0"])
    await asyncio.sleep(0.01)
    late = taken.done()
    scene["a-0"].say("kept", "a/0", 9)
    await taken

    assert not late
    await ended(scene)


async def test_a_life_without_a_report_costs_its_rounds_patience_only() -> None:
    scene = await begun(a={**ENDLESS, "round": taking("a/0")})

    await scene.run.rounds.take(0.01)

    assert scene["b-0"].words[-1] == "end_round"
    await ended(scene)


async def test_a_state_that_is_being_written_is_waited_for_beyond_all_patience() -> None:
    slow = {**ENDLESS, "round": lambda cut: [["taking", cut, ["a/0"]], ["took", "a/0", cut]]}
    scene = await begun(a=slow)

    taken = asyncio.ensure_future(scene.run.rounds.take(0.01))
    await asyncio.sleep(0.1)
    waits = not taken.done() and "end_round" not in scene["b-0"].words
    scene["a-0"].say("kept", "a/0", 1)
    await taken

    assert waits
    await ended(scene)


async def test_an_actor_that_returns_meanwhile_does_not_hold_a_round() -> None:
    scene = await begun(a={**ENDLESS, "round": taking("a/0")})

    taken = asyncio.ensure_future(scene.run.rounds.take(LONG))
    await scene.until(lambda: "round" in scene["a-0"].words)
    scene["a-0"].say("ended", "a/0", True)
    await taken

    await ended(scene)


async def test_an_actor_that_dies_meanwhile_does_not_hold_a_round() -> None:
    scene = await begun(a={**ENDLESS, "round": taking("a/0")})

    taken = asyncio.ensure_future(scene.run.rounds.take(LONG))
    await scene.until(lambda: "round" in scene["a-0"].words)
    scene["a-0"].die()
    await taken

    await ended(scene)


async def test_a_process_that_is_started_meanwhile_does_not_hold_a_round() -> None:
    again = {**ENDLESS, "round": nothing, "end_round": nothing}
    deaf = {**ENDLESS, "round": nothing}
    scene = await begun(
        a=[deaf, {**again, "end_round": taking()}], b={**ENDLESS, "round": taking("b/0")}
    )

    taken = asyncio.ensure_future(scene.run.rounds.take(LONG))
    await scene.until(lambda: "round" in scene["a-0"].words)
    scene["a-0"].die()
    await scene.until(lambda: len(scene.made["a-0"]) == 2)
    scene["b-0"].say("kept", "b/0", 1)
    await taken

    assert "round" not in scene["a-0"].words
    await ended(scene)


async def test_rounds_are_taken_again_and_again() -> None:
    scene = await begun(checkpoint=0.01)

    await scene.until(lambda: scene.run.rounds.last >= 3)
    await ended(scene)

    assert scene["a-0"].orders[-1] == ["close", scene.run.rounds.last + 1]
