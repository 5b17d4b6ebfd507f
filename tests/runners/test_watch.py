"""Who is silent, held up or slow, told from beats that a test feeds by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.runners.scripted import A_AND_B, ENDLESS, Scene, Watching
from tether.actors.clock import SystemClock
from tether.runners.blackbox import BlackBox

QUICK = {"beat": 0.01, "unreachable": 0.05, "hung": 1.0}


class Moved(SystemClock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        super().__init__(0)
        self.moment = 1000.0

    def now(self) -> float:
        return self.moment


class Watched(Scene):
    """A run whose process `a-0` a test lets beat, second by second."""

    def __init__(self) -> None:
        self.seen = Watching()
        scripts = {"a-0": ENDLESS, "b-0": ENDLESS}
        super().__init__(A_AND_B, scripts, self.seen, boxes=True)
        self.clock = self.run.clock = Moved()

    @property
    def box(self) -> BlackBox:
        box = self["a-0"].box
        assert box is not None
        return box

    def pass_by(self, seconds: int, *, beats: bool = True, turns: bool = True) -> None:
        """Let seconds pass in which the process beats or not, and its loop turns or not."""
        for _ in range(seconds):
            self.clock.moment += 1
            if beats:
                self.box.process_beat = self.clock.moment
            if turns:
                self.box.loop_beat = self.clock.moment
            self.run.watch.look()

    def told(self) -> list[tuple[str, str]]:
        """Return what was told of `a/0` since it was started."""
        return [(what, actor) for what, actor in self.seen.seen if what not in {"started", "ended"}]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    scene = Watched()
    await scene.run.start()
    scene.pass_by(3)
    yield scene
    scene.run.stop()
    await scene.run.finish()
    for members in scene.made.values():
        for member in members:
            if member.box is not None:
                member.box.close()


async def test_a_process_that_beats_is_told_nothing_of(watched: Watched) -> None:
    watched.pass_by(60)

    assert watched.told() == []
    assert watched["b-0"].news == []


async def test_a_process_that_has_never_beaten_is_not_missed(watched: Watched) -> None:
    watched.pass_by(60)  # in which b-0 has yet to begin

    assert not watched.run.roster.entries["b/0"].unreachable


async def test_a_silent_process_is_unreachable_to_all_and_not_dead(watched: Watched) -> None:
    watched.pass_by(8, beats=False, turns=False)

    assert watched.told() == [("unreachable", "a/0")]
    assert watched["b-0"].news[0]["what"] == "unreachable"
    assert watched["b-0"].news[0]["actor"] == "a/0"
    assert watched.seen.whys[0].startswith("nothing was heard of its process for ")
    assert watched.run.roster.entries["a/0"].state == "up"
    assert not watched["a-0"].killed


async def test_a_process_that_is_heard_of_again_is_reachable_to_all(watched: Watched) -> None:
    watched.pass_by(8, beats=False, turns=False)
    watched.pass_by(2)

    assert watched.told() == [("unreachable", "a/0"), ("reachable", "a/0")]
    assert [each["what"] for each in watched["b-0"].news] == ["unreachable", "reachable"]


async def test_a_loop_that_is_held_up_is_named_and_left_alone(watched: Watched) -> None:
    watched.box.stall = "a/0: Life.run has held the loop for 31 s"
    watched.pass_by(35, turns=False)

    assert watched.told() == [("hung", "a/0")]
    assert watched.seen.whys == ["a/0: Life.run has held the loop for 31 s"]
    assert watched["b-0"].news == []
    assert not watched["a-0"].killed


async def test_a_loop_that_is_held_up_by_nobody_knows_what_is_told_for_how_long(
    watched: Watched,
) -> None:
    watched.pass_by(35, turns=False)
    watched.pass_by(2)

    assert watched.told() == [("hung", "a/0"), ("reachable", "a/0")]
    assert watched.seen.whys[0].startswith("its event loop has not moved for 3")


async def test_a_slow_step_is_told_until_the_next_one(watched: Watched) -> None:
    for step in range(5):
        watched.pass_by(1)
        watched.run.watch.reported("a/0", watched.clock.moment, step)

    watched.pass_by(12)
    watched.run.watch.reported("a/0", watched.clock.moment, 5)
    watched.pass_by(2)

    slow = [told for told in watched.told() if told == ("slow", "a/0")]
    assert slow
    assert watched.told()[-1] == ("reachable", "a/0")
    assert watched.seen.whys[0] == "no step for 10 s, usually 1.0 s"


async def test_who_has_ended_is_not_slow(watched: Watched) -> None:
    for step in range(5):
        watched.pass_by(1)
        watched.run.watch.reported("a/0", watched.clock.moment, step)
    watched["a-0"].say("ended", "a/0", True)

    watched.pass_by(60)

    assert watched.told() == []


async def test_a_run_looks_at_every_beat() -> None:
    seen = Watching()
    scene = Scene({"a": {}}, {"a-0": ENDLESS}, seen, boxes=True, times=QUICK)
    await scene.run.start()
    box = scene["a-0"].box
    assert box is not None
    box.process_beat = scene.run.clock.now()

    await scene.until(lambda: ("unreachable", "a/0") in seen.seen)

    scene.run.stop()
    await scene.run.finish()
    box.close()
