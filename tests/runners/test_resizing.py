"""Actors that join and leave while a run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.runners.scripted import ENDLESS, Answers, Scene, Watching, nothing

LIVE: dict[str, Any] = {"a": {}, "w": {"count": {"start": 2, "min": 1, "max": 4}}}
CLOSING: dict[str, Answers] = {**ENDLESS, "close": lambda _cut: [["closed"]]}


class Live(Scene):
    """A run of `a/0` and of 1 to 4 of `w`, each in a process of its own, that goes on."""

    def __init__(self, times: dict[str, float] | None = None, /, **scripts: Any) -> None:
        self.seen = Watching()
        every = dict.fromkeys(("a-0", "w-0", "w-1", "w-2", "w-3"), CLOSING)
        super().__init__(LIVE, {**every, **scripts}, self.seen, boxes=True, times=times)

    async def end(self) -> list[str]:
        """End the run; return how it ended."""
        self.run.stop()
        result = await self.run.finish()
        return [result.outcome, *filter(None, [result.reason]), *result.problems]

    def present(self) -> list[str]:
        return [entry.spec.name for entry in self.run.roster if entry.present]

    def close_boxes(self) -> None:
        for members in self.made.values():
            for member in members:
                if member.box is not None:
                    member.box.close()


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    scene = Live()
    await scene.run.start()
    yield scene
    if not scene.run.ending:
        await scene.end()
    scene.close_boxes()


async def test_who_joins_is_made_then_announced_then_begins_its_life(live: Live) -> None:
    await live.run.resizing.resize("w", 3)

    assert live.present() == ["a/0", "w/0", "w/1", "w/2"]
    assert live["w-2"].begun["names"] == ["w/2"]
    assert "w/2" in live["w-2"].begun["present"]
    assert live["w-2"].begun["restore"] == {}
    assert live["a-0"].news == [
        {"what": "renewed", "process": "w-2"},
        {"what": "up", "actor": "w/2", "incarnation": 1},
        {"what": "joined", "actor": "w/2"},
    ]
    assert [order[0] for order in live["w-2"].orders] == ["changed", "note", "go"]
    assert ("joined", "w/2") in live.seen.seen


async def test_who_leaves_is_forgotten_by_all_before_it_is_told(live: Live) -> None:
    await live.run.resizing.resize("w", 1)

    assert live.present() == ["a/0", "w/0"]
    left, down, ended = live["a-0"].news
    assert left == {"what": "left", "actor": "w/1"}
    assert down == {
        "what": "down",
        "actor": "w/1",
        "why": "it has left",
        "wills": {},
        "final": True,
    }
    assert ended == {"what": "ended", "process": "w-1"}
    assert live["w-1"].words == ["go", "note", "leave", "close"]
    assert ("left", "w/1") in live.seen.seen
    assert await live.end() == ["stopped"]


async def test_the_highest_leave_first_and_the_lowest_join_first(live: Live) -> None:
    for size in (4, 1, 2):
        await live.run.resizing.resize("w", size)

    changes = [(what, actor) for what, actor in live.seen.seen if what in {"joined", "left"}]
    assert sorted(changes[:2]) == [("joined", "w/2"), ("joined", "w/3")]
    assert changes[2:] == [("left", "w/3"), ("left", "w/2"), ("left", "w/1"), ("joined", "w/1")]


async def test_who_comes_again_begins_afresh_as_the_next_incarnation(live: Live) -> None:
    await live.run.resizing.resize("w", 1)
    await live.run.resizing.resize("w", 2)

    assert len(live.made["w-1"]) == 2
    begun = live["w-1"].begun
    assert (begun["start"], begun["incarnations"]["w/1"], begun["restore"]) == (2, 2, {})
    assert live["w-1"].words == ["note", "go"]
    assert await live.end() == ["stopped"]


async def test_a_table_that_has_the_size_already_is_left_alone(live: Live) -> None:
    await live.run.resizing.resize("w", 2)

    assert live["a-0"].orders == [["go", ["a/0"]]]


@pytest.mark.parametrize("size", [0, 5])
async def test_a_size_out_of_bounds_is_refused(live: Live, size: int) -> None:
    with pytest.raises(
        ValueError, match=rf"\[w\] may have 1 to 4 actors, but {size} are asked for"
    ):
        await live.run.resizing.resize("w", size)

    assert live.present() == ["a/0", "w/0", "w/1"]


async def test_a_table_of_fixed_size_is_refused(live: Live) -> None:
    with pytest.raises(ValueError, match=r"\[a\] has a fixed count, but one with bounds is wanted"):
        await live.run.resizing.resize("a", 2)


async def test_who_asks_is_told_when_it_is_done(live: Live) -> None:
    live["a-0"].say("resize", 7, "w", 3)
    await live.until(lambda: "resized" in live["a-0"].words)

    assert live["a-0"].orders[-1] == ["resized", 7, ""]
    assert "w/2" in live.present()


async def test_who_asks_in_vain_is_told_why(live: Live) -> None:
    live["a-0"].say("resize", 7, "w", 9)
    await live.until(lambda: "resized" in live["a-0"].words)

    why = "[w] may have 1 to 4 actors, but 9 are asked for"
    assert live["a-0"].orders[-1] == ["resized", 7, why]


async def test_two_who_ask_at_the_same_time_are_served_one_after_the_other(live: Live) -> None:
    await asyncio.gather(live.run.resizing.resize("w", 4), live.run.resizing.resize("w", 1))

    assert len(live.made["w-3"]) == 1
    assert live.present() == ["a/0", "w/0"]
    assert await live.end() == ["stopped"]


async def test_who_cannot_be_made_does_not_join_and_leaves_nothing_behind() -> None:
    unbuilt = {"start": lambda: [["unbuilt", "ValueError: tau is 0", ""]]}
    live = Live(**{"w-2": [unbuilt, CLOSING]})
    await live.run.start()

    with pytest.raises(
        RuntimeError, match="w/2 could not join: it could not be made: ValueError: t"
    ):
        await live.run.resizing.resize("w", 3)
    left = sorted(live.run.roster.members), live.present(), list(live["a-0"].news)
    await live.run.resizing.resize("w", 3)

    assert left == (["a-0", "w-0", "w-1"], ["a/0", "w/0", "w/1"], [])
    assert live["w-2"].words == ["note", "go"]
    assert await live.end() == ["stopped"]
    live.close_boxes()


async def test_who_dies_while_it_joins_is_not_brought_back() -> None:
    dying = {"start": lambda: [["died", "its process exited with code 3"]]}
    live = Live(**{"w-2": dying})
    await live.run.start()

    with pytest.raises(RuntimeError, match="w/2 could not join: its process exited with code 3"):
        await live.run.resizing.resize("w", 4)
    await asyncio.sleep(0.1)

    assert live.present() == ["a/0", "w/0", "w/1", "w/3"]
    assert len(live.made["w-2"]) == 1
    assert await live.end() == ["stopped"]
    live.close_boxes()


async def test_who_dies_while_it_leaves_has_left() -> None:
    live = Live(**{"w-1": {**CLOSING, "leave": lambda _name: [["died", "killed"]]}})
    await live.run.start()

    await live.run.resizing.resize("w", 1)
    await asyncio.sleep(0.1)

    assert live.run.roster.entries["w/1"].state == "off"
    assert len(live.made["w-1"]) == 1
    left, down, *ended = live["a-0"].news
    assert [left["what"], down["what"], down["final"]] == ["left", "down", True]
    assert {each["what"] for each in ended} == {"ended"}
    assert await live.end() == ["stopped"]
    live.close_boxes()


async def test_who_is_down_leaves_without_coming_back(live: Live) -> None:
    live["w-1"].die()

    await live.run.resizing.resize("w", 1)
    await asyncio.sleep(0.1)

    assert live.run.roster.entries["w/1"].state == "off"
    assert len(live.made["w-1"]) == 1
    assert await live.end() == ["stopped"]


async def test_who_is_coming_back_comes_and_then_leaves(live: Live) -> None:
    live["w-1"].die()
    await live.until(lambda: len(live.made["w-1"]) == 2)

    await live.run.resizing.resize("w", 1)

    assert live.run.roster.entries["w/1"].state == "off"
    assert live["w-1"].words[-1] == "close"
    assert "w-1" not in live.run.roster.members
    assert await live.end() == ["stopped"]


async def test_who_was_given_up_makes_room_and_may_come_again() -> None:
    tables = {"a": {}, "w": {**LIVE["w"], "restart": "temporary"}}
    scene = Scene(tables, dict.fromkeys(["a-0", "w-0", "w-1"], CLOSING))
    await scene.run.start()
    scene["w-1"].die()

    await scene.run.resizing.resize("w", 1)
    await scene.run.resizing.resize("w", 2)

    assert scene.run.roster.entries["w/1"].state == "up"
    assert scene["w-1"].begun["incarnations"]["w/1"] == 2
    scene.run.stop()
    await scene.run.finish()


async def test_a_process_is_kept_while_others_live_there() -> None:
    tables = {"a": {}, "w": {**LIVE["w"], "beside": "a"}}
    scene = Scene(tables, {"a-0": CLOSING}, boxes=True)
    await scene.run.start()

    await scene.run.resizing.resize("w", 3)
    await scene.run.resizing.resize("w", 1)

    assert list(scene.made) == ["a-0"]
    assert [order for order in scene["a-0"].orders if order[0] == "spawn"] == [
        ["spawn", "w/2", 1, {}]
    ]
    assert "close" not in scene["a-0"].words
    scene.run.stop()
    assert (await scene.run.finish()).problems == []
    box = scene["a-0"].box
    assert box is not None
    box.close()


async def test_who_could_be_made_leaves_again_when_another_of_its_process_could_not() -> None:
    def spawned(name: str, *_: Any) -> list[list[str]]:
        return [["unmade", name, "OSError: gone"] if name == "w/3" else ["made", name]]

    tables = {"a": {}, "w": {**LIVE["w"], "beside": "a"}}
    scene = Scene(tables, {"a-0": {**CLOSING, "spawn": spawned}})
    await scene.run.start()

    with pytest.raises(RuntimeError, match="w/2 and w/3 could not join: it could not be made: OSE"):
        await scene.run.resizing.resize("w", 4)

    assert scene["a-0"].orders[-1] == ["leave", "w/2"]
    assert scene.run.roster.entries["w/2"].state == "off"
    scene.run.stop()
    await scene.run.finish()


async def test_a_process_that_does_not_note_who_leaves_is_waited_for_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tether.runners.resizing.PATIENCE", 0.01)
    live = Live({"drain": 0.01}, **{"a-0": {**CLOSING, "note": nothing}})
    await live.run.start()

    await live.run.resizing.resize("w", 1)

    assert live.present() == ["a/0", "w/0"]
    await live.end()
    live.close_boxes()
