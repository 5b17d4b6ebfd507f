"""The life of a run, as processes that say what they like make it go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from tests.runners.scripted import (
    A_AND_B,
    DEAF,
    ENDLESS,
    KILLED,
    Answers,
    Scene,
    Scripted,
    Watching,
    nothing,
)
from tether.actors.journal import Key, Word
from tether.runners.members import Hear
from tether.runners.result import Start


async def test_a_run_ends_when_all_lives_have_ended() -> None:
    audience = Watching()
    scene = Scene(A_AND_B, audience=audience)

    started = await scene.run.start()
    result = await scene.run.finish()

    assert (started, result.outcome, result.reason, result.problems) == (True, "finished", "", [])
    assert scene["a-0"].words == ["go", "quiet", "quiet", "stop_life", "quiet", "quiet", "close"]
    assert audience.seen[:2] == [("started", "a/0"), ("started", "b/0")]
    assert set(audience.seen[2:]) == {("ended", "a/0"), ("ended", "b/0")}


async def test_a_process_is_told_who_it_is_to_make_and_how_all_others_are() -> None:
    scene = Scene({"a": {}, "b": {"count": {"start": 1, "min": 1, "max": 2}}})

    await scene.run.start()
    begun = scene["a-0"].begun
    await scene.run.finish()

    assert begun == {
        "incarnations": {"a/0": 1, "b/0": 1, "b/1": 1},
        "down": {},
        "gone": {},
        "off": ["b/1"],
        "present": ["a/0", "b/0"],
        "start": 1,
        "names": ["a/0"],
        "restore": {},
        "alone": [],
    }


async def test_a_run_goes_on_from_where_another_has_ended() -> None:
    before = Start({"a/0": 3}, {"a/0": [7]}, alone=["a/0"], round=7, seconds=100.0)
    scene = Scene(A_AND_B, start=before)
    remembered: list[dict[str, int]] = []
    scene.run.roster.remember = remembered.append

    await scene.run.start()
    result = await scene.run.finish()

    begun = scene["a-0"].begun
    assert begun["incarnations"] == {"a/0": 4, "b/0": 1}
    assert (begun["restore"], begun["alone"]) == ({"a/0": [7]}, ["a/0"])
    assert scene["b-0"].begun["restore"] == {}
    assert remembered == [{"a/0": 4, "b/0": 1}]
    assert result.seconds >= 100.0
    assert scene["a-0"].orders[-1] == ["close", 8]


async def test_a_service_does_not_hold_the_end() -> None:
    scene = Scene({"a": {"restart": "permanent"}, "b": {}}, {"a-0": ENDLESS})

    await scene.run.start()
    result = await scene.run.finish()

    assert result.outcome == "finished"


async def test_an_actor_without_a_life_does_not_hold_the_end() -> None:
    scene = Scene(A_AND_B, {"a-0": {"go": lambda names: [["lives", names, names]]}})

    await scene.run.start()
    result = await scene.run.finish()

    assert result.outcome == "finished"


async def test_a_run_of_limited_duration_is_stopped() -> None:
    scene = Scene(A_AND_B, {"a-0": ENDLESS, "b-0": ENDLESS})

    await scene.run.start()
    result = await scene.run.finish(0.01)

    assert (result.outcome, result.problems) == ("stopped", [])
    assert scene["a-0"].words[:2] == ["go", "stop_life"]


async def test_what_cannot_be_made_ends_a_run_before_it_begins() -> None:
    unbuilt = {"start": lambda: [["unbuilt", "ValueError: tau is 0", ""], ["died", "exit 0"]]}
    scene = Scene(A_AND_B, {"a-0": unbuilt})

    started = await scene.run.start()
    result = await scene.run.close()

    assert not started
    assert (result.outcome, result.seconds) == ("failed", 0.0)
    assert result.reason == "a/0 could not be made: ValueError: tau is 0"
    assert scene["b-0"].words == ["close"]
    assert len(scene.made["a-0"]) == 1


async def test_a_process_that_cannot_be_started_ends_those_that_were() -> None:
    scene = Scene(A_AND_B, {"a-0": {"start": nothing}})
    scene.run.make = lambda name: Unstarted(name, {}) if name == "b-0" else scene.make(name)

    with pytest.raises(OSError, match="no more processes"):
        await scene.run.start()
    scene.run.stop()
    result = await scene.run.close()

    assert result.outcome == "stopped"
    assert scene["a-0"].words == ["close"]


class Unstarted(Scripted):
    async def start(self, hear: Hear, order: Mapping[str, object]) -> None:
        raise OSError("no more processes")


async def test_who_dies_before_the_run_begins_is_started_again() -> None:
    scene = Scene(A_AND_B, {"a-0": [{"start": lambda: [["died", KILLED]]}, {}]})

    started = await scene.run.start()
    result = await scene.run.finish()

    assert (started, result.outcome, result.problems) == (True, "finished", [])
    assert [member.begun["start"] for member in scene.made["a-0"]] == [1, 2]
    assert scene["a-0"].words[0] == "go"


async def test_nobody_begins_without_one_that_was_ready_and_has_died() -> None:
    first: Mapping[str, Answers] = {"start": lambda: [["ready", 1], ["died", KILLED]]}
    scene = Scene(A_AND_B, {"a-0": [first, {}], "b-0": {"start": nothing}})

    starting = asyncio.ensure_future(scene.run.start())
    await scene.until(lambda: "a-0" in scene.made and not scene.run.roster.members.get("a-0"))
    scene["b-0"].say("ready", 2)
    await scene.until(lambda: len(scene.made["a-0"]) == 2)
    await starting
    result = await scene.run.finish()

    assert result.outcome == "finished"
    assert [member.words[:1] for member in scene.made["a-0"]] == [[], ["go"]]


async def test_who_dies_before_the_run_begins_and_must_not_be_restarted_ends_it() -> None:
    dying = {"start": lambda: [["died", KILLED]]}
    scene = Scene({"a": {"max_restarts": 1}, "b": {"restart": "temporary"}}, {"a-0": dying})

    started = await scene.run.start()
    result = await scene.run.close()

    assert (started, result.outcome) == (False, "failed")
    assert result.reason == f"a/0 died: {KILLED}; 1 restart in 60 s was not enough"


async def test_who_dies_after_it_has_closed_has_not_died() -> None:
    scene = Scene(A_AND_B)
    await scene.run.start()
    result = await scene.run.finish()

    scene["a-0"].say("died", "its process exited with code 0")

    assert (result.outcome, result.reason) == ("finished", "")


async def test_a_state_that_could_not_be_saved_fails_the_run() -> None:
    unsaved = {"close": lambda _cut: [["unsaved", "a/0", "OSError: disk full"], ["closed"]]}
    scene = Scene(A_AND_B, {"a-0": unsaved})

    await scene.run.start()
    result = await scene.run.finish()

    assert result.outcome == "failed"
    assert result.reason == "the state of a/0 could not be saved: OSError: disk full"


async def test_what_goes_wrong_beside_all_else_ends_the_run_with_its_reason() -> None:
    scene = Scene(A_AND_B, {"a-0": ENDLESS})
    await scene.run.start()

    async def broken() -> None:
        raise OSError("no more files")

    scene.run.task(broken())
    result = await scene.run.finish()

    assert result.outcome == "failed"
    assert result.reason == "the run could not be conducted: OSError: no more files"


async def test_a_second_interrupt_kills_all() -> None:
    scene = Scene(A_AND_B, {"a-0": DEAF, "b-0": DEAF})
    await scene.run.start()

    scene.run.interrupt()
    scene.run.kill()
    result = await scene.run.finish()

    assert (scene["a-0"].killed, scene["b-0"].killed) == (True, True)
    assert (result.outcome, result.problems) == ("interrupted", [])


async def test_a_run_that_is_told_to_stop_twice_stops_once() -> None:
    scene = Scene(A_AND_B, {"a-0": ENDLESS})
    await scene.run.start()

    scene.run.stop()
    scene.run.interrupt()
    result = await scene.run.finish()

    assert result.outcome == "stopped"


async def test_a_run_whose_lives_have_ended_is_not_stopped_any_more() -> None:
    scene = Scene(A_AND_B)
    await scene.run.start()
    await scene.run.wait()

    scene.run.stop_if_alive()

    assert (await scene.run.close()).outcome == "finished"


async def test_a_run_whose_lives_go_on_is_stopped() -> None:
    scene = Scene(A_AND_B, {"a-0": ENDLESS})
    await scene.run.start()

    scene.run.stop_if_alive()

    assert (await scene.run.close()).outcome == "stopped"


async def test_only_the_first_reason_is_the_reason_and_none_is_told_twice() -> None:
    scene = Scene(A_AND_B)

    for reason in ("one", "two", "two", "one"):
        scene.run.note(reason)

    assert (scene.run.result.outcome, scene.run.result.reason) == ("failed", "one")
    assert scene.run.result.problems == ["two"]


async def test_the_records_of_a_run_come_from_the_journals_of_both_sides() -> None:
    scene = Scene(A_AND_B, {"a-0": ENDLESS})
    await scene.run.start()
    sent = scene["a-0"].journal.row(Key("a/0", 1, "b/0", 1))
    sent[Word.SENT], sent[Word.BYTES] = 5, 500
    came = scene["b-0"].journal.row(Key("b/0", 1, "a/0", 1))
    came[Word.HANDLED] = 4
    scene["a-0"].journal.row(Key("a/0", 1))[0] = 9

    scene.run.stop()
    result = await scene.run.finish()

    account = {"from": "a/0", "to": "b/0", "sent": 5, "handled": 4, "dropped": {}, "unknown": 0}
    assert result.records == {
        "a/0": {
            "actor": "a/0", "pid": 1, "steps": 9,
            "accounts": [account | {"in_flight": 1, "bytes": 500}],
        },
        "b/0": {"actor": "b/0", "pid": 1, "steps": 0, "accounts": []},
    }  # fmt: skip


async def test_what_is_done_aside_is_waited_for_in_the_end() -> None:
    scene = Scene(A_AND_B)
    await scene.run.start()
    done = asyncio.Event()
    scene.run.aside(later(done))

    await scene.run.finish()

    assert done.is_set()


async def later(done: asyncio.Event) -> None:
    await asyncio.sleep(0.01)
    done.set()
