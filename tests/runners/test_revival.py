"""Deaths, and what follows: others are told, and who may comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runners.scripted import A_AND_B, ENDLESS, KILLED, Scene, Watching, nothing
from tether.actors.journal import Key, Word
from tether.runners.blackbox import HEADER, ROW, BlackBox

BESIDE: dict[str, Any] = {"a": {}, "b": {"beside": "a"}, "c": {}}


async def begun(audience: Watching, tables: Any = A_AND_B, **more: Any) -> Scene:
    scripts = {"a-0": ENDLESS, "b-0": ENDLESS, "c-0": ENDLESS}
    scene = Scene(tables, {**scripts, **more}, audience)
    await scene.run.start()
    return scene


async def stopped(scene: Scene) -> list[str]:
    scene.run.stop()
    result = await scene.run.finish()
    return [result.outcome, *filter(None, [result.reason]), *result.problems]


async def test_a_killed_process_is_started_again_and_the_others_are_told() -> None:
    audience = Watching()
    scene = await begun(audience)

    scene["a-0"].die()
    await scene.until(lambda: bool(audience.restarts))

    assert [each["what"] for each in scene["b-0"].news] == ["down", "ended", "renewed", "up"]
    down, ended, renewed, up = scene["b-0"].news
    assert (down["actor"], down["why"], down["final"]) == ("a/0", KILLED, False)
    assert ended["process"] == renewed["process"] == "a-0"
    assert up == {"what": "up", "actor": "a/0", "incarnation": 2}
    begun_with = scene["a-0"].begun
    assert (begun_with["start"], begun_with["incarnations"]["a/0"]) == (2, 2)
    assert (begun_with["restore"], begun_with["alone"]) == ({"a/0": None}, ["a/0"])
    assert scene["a-0"].words[:1] == ["go"]
    assert await stopped(scene) == ["stopped"]


async def test_survivors_are_told_how_far_the_dead_had_come_with_their_calls() -> None:
    audience = Watching()
    scene = await begun(audience)
    row = scene["a-0"].journal.row(Key("a/0", 1, "b/0", 1))
    row[Word.STARTED], row[Word.HANDLED], row[Word.HANDLED_BYTES] = 5, 4, 400
    row[Word.DROPPED] = 1

    scene["a-0"].die()

    assert scene["b-0"].news[0]["wills"] == {"b/0": [5, 4, 400, {"cancelled": 1}]}
    await stopped(scene)


async def test_a_journal_with_rows_missing_promises_nothing() -> None:
    audience = Watching()
    scene = await begun(audience)
    box = scene["a-0"].box = BlackBox.create(HEADER + ROW)
    for incarnation in (1, 2):
        box.row(Key("a/0", incarnation))

    scene["a-0"].die()

    assert scene["b-0"].news[0]["wills"] is None
    box.close()
    scene.made["a-0"][0].box = None
    await stopped(scene)


async def test_a_restart_tells_what_was_rolled_back() -> None:
    audience = Watching()
    back = {**ENDLESS, "start": lambda: [["restored", "a/0", "a-0.3.safetensors", 1, 6, {"b/0": 9}],
                                         ["ready", 7]]}  # fmt: skip
    scene = await begun(audience, **{"a-0": [ENDLESS, back]})
    scene["a-0"].journal.row(Key("a/0", 1, "b/0", 1))[Word.HANDLED] = 11
    scene["a-0"].journal.row(Key("a/0", 1))[0] = 10

    scene["a-0"].die()
    await scene.until(lambda: bool(audience.restarts))

    (restart,) = audience.restarts
    assert (restart.actor, restart.incarnation, restart.why) == ("a/0", 2, KILLED)
    assert (restart.checkpoint, restart.step) == ("a-0.3.safetensors", 6)
    assert (restart.rolled_back_messages, restart.rolled_back_steps) == (2, 4)
    assert not restart.in_place
    assert scene.run.roster.entries["a/0"].pid == 7
    await stopped(scene)


async def test_all_of_an_incarnation_is_rolled_back_to_the_checkpoint_of_an_earlier_one() -> None:
    audience = Watching()
    back = {**ENDLESS, "start": lambda: [["restored", "a/0", "a-0.3.safetensors", 1, 6, {"b/0": 9}],
                                         ["ready", 7]]}  # fmt: skip
    scene = await begun(audience, **{"a-0": [ENDLESS, back]})

    scene["a-0"].die()
    await scene.until(lambda: len(audience.restarts) == 1)
    scene["a-0"].journal.row(Key("a/0", 2, "b/0", 1))[Word.HANDLED] = 2
    scene["a-0"].die()
    await scene.until(lambda: len(audience.restarts) == 2)

    assert audience.restarts[1].rolled_back_messages == 2
    await stopped(scene)


async def test_an_actor_whose_life_raises_is_made_again_in_its_process() -> None:
    audience = Watching()
    scene = await begun(audience, BESIDE)

    scene["a-0"].say("crashed", "a/0", "ValueError: no data", "")
    await scene.until(lambda: bool(audience.restarts))

    assert scene["a-0"].orders[2:3] == [["spawn", "a/0", 2, {"a/0": None}]]
    assert [each["what"] for each in scene["c-0"].news] == ["down", "up"]
    assert audience.restarts[0].in_place
    assert (len(scene.made["a-0"]), scene.run.roster.entries["b/0"].incarnation) == (1, 1)
    assert scene["a-0"].orders[-1] == ["go", ["a/0"]]
    await stopped(scene)


async def test_a_crash_that_is_told_twice_is_one() -> None:
    scene = await begun(Watching())

    scene["a-0"].say("crashed", "a/0", "ValueError: no data", "")
    scene["a-0"].say("crashed", "a/0", "ValueError: no data", "")

    assert scene.run.roster.entries["a/0"].incarnation == 2
    await stopped(scene)


async def test_a_process_comes_back_with_all_its_actors_and_those_that_had_returned_rest() -> None:
    audience = Watching()
    scene = await begun(audience, BESIDE)
    scene["a-0"].say("ended", "b/0", True)

    scene["a-0"].die()
    await scene.until(lambda: len(audience.restarts) == 2)

    assert scene["a-0"].begun["names"] == ["a/0", "b/0"]
    assert scene["a-0"].orders[-1] == ["go", ["a/0"]]
    await stopped(scene)


async def test_a_temporary_actor_does_not_come_back_and_the_run_goes_on() -> None:
    audience = Watching()
    scene = await begun(audience, {"a": {"restart": "temporary"}, "b": {}})

    scene["a-0"].die()

    assert scene["b-0"].news[0]["final"]
    assert audience.whys == [f"{KILLED}; it is temporary"]
    assert scene.run.roster.goes_on()
    assert await stopped(scene) == ["stopped"]
    assert len(scene.made["a-0"]) == 1


async def test_who_dies_too_often_is_given_up_and_the_run_goes_on_to_fail() -> None:
    audience = Watching()
    scene = await begun(audience, {"a": {"max_restarts": 1}, "b": {}})

    scene["a-0"].die()
    await scene.until(lambda: len(audience.restarts) == 1)
    scene["a-0"].die()
    given_up = ("gave up", "a/0") in audience.seen
    going_on = not scene.run.over.is_set()
    scene["b-0"].say("ended", "b/0", True)
    result = await scene.run.finish()

    why = f"{KILLED}; 1 restart in 60 s was not enough"
    assert (given_up, going_on, result.outcome) == (True, True, "failed")
    assert result.reason == f"a/0 was given up: {why}"
    assert audience.whys[-1] == why


async def test_who_cannot_be_made_again_spends_its_restarts() -> None:
    audience = Watching()
    unbuilt = {"start": lambda: [["unbuilt", "OSError: the shards are gone", ""]]}
    tables = {"a": {"max_restarts": 2}, "b": {}}
    scene = await begun(audience, tables, **{"a-0": [ENDLESS, unbuilt]})

    scene["a-0"].die()
    await scene.until(lambda: ("gave up", "a/0") in audience.seen)

    assert len(scene.made["a-0"]) == 3
    assert "could not be made: OSError: the shards are gone; 2 restarts" in audience.whys[-1]
    assert scene["b-0"].news[-1]["final"]
    assert (await stopped(scene))[0] == "failed"


async def test_who_cannot_be_made_again_in_its_process_spends_its_restarts() -> None:
    audience = Watching()
    unmade = {**ENDLESS, "spawn": lambda name, *_: [["unmade", name, "OSError: gone"]]}
    scene = await begun(audience, {"a": {"max_restarts": 1}, "b": {}}, **{"a-0": unmade})

    scene["a-0"].say("crashed", "a/0", "ValueError: no data", "")
    await scene.until(lambda: ("gave up", "a/0") in audience.seen)

    assert "it could not be made: OSError: gone; 1 restart" in audience.whys[-1]
    await stopped(scene)


async def test_who_is_made_again_in_a_process_that_dies_comes_back_with_it() -> None:
    audience = Watching()
    deaf = {**ENDLESS, "spawn": nothing}
    scene = await begun(audience, BESIDE, **{"a-0": [deaf, ENDLESS]})
    scene["a-0"].say("crashed", "a/0", "ValueError: no data", "")
    await scene.until(lambda: "spawn" in scene["a-0"].words)

    scene["a-0"].die()
    await scene.until(lambda: len(audience.restarts) == 2)

    assert {restart.actor for restart in audience.restarts} == {"a/0", "b/0"}
    assert {restart.incarnation for restart in audience.restarts} == {2}
    await stopped(scene)


async def test_who_dies_while_it_comes_back_is_started_once_more() -> None:
    audience = Watching()
    dying = {**ENDLESS, "start": lambda: [["died", KILLED]]}
    scene = await begun(audience, **{"a-0": [ENDLESS, dying, ENDLESS]})

    scene["a-0"].die()
    await scene.until(lambda: bool(audience.restarts))

    assert len(scene.made["a-0"]) == 3
    assert audience.restarts[0].incarnation == 2
    assert await stopped(scene) == ["stopped"]


async def test_a_dead_actor_that_is_to_leave_does_not_come_back() -> None:
    audience = Watching()
    scene = await begun(audience)
    scene["a-0"].die()

    forgotten = [scene.run.revival.forget("a/0"), scene.run.revival.forget("a/0")]
    await asyncio.sleep(0.1)

    assert forgotten == [True, False]
    assert len(scene.made["a-0"]) == 1
    await stopped(scene)


@pytest.mark.parametrize("word", ["ready", "made"])
async def test_an_answer_nobody_waits_for_is_passed_over(word: str) -> None:
    scene = await begun(Watching())

    scene["a-0"].say(word, 1 if word == "ready" else "a/0")

    assert await stopped(scene) == ["stopped"]
