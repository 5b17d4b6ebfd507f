"""The life of a run, as processes that say what they like make it go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tether.runners.conductor import Conductor
from tether.runners.linker import link
from tether.runners.members import Hear, Member
from tether.runners.spec import Plan

KILLED = "its process was killed by SIGKILL"


class Life:
    async def run(self) -> None: ...


class Scripted:
    """A process that answers each order with what a script says, or with nothing."""

    def __init__(self, actor: str, script: Mapping[str, Any]) -> None:
        self.name, self.actors = actor.replace("/", "-"), [actor]
        self.script = {**GOOD, "ended:": [actor, "", ""], **script}
        self.orders: list[str] = []
        self.killed = False
        self._hear: Hear | None = None

    async def start(self, hear: Hear) -> None:
        self._hear = hear
        self.say("ready", 1)

    def say(self, word: str, *details: Any) -> None:
        assert self._hear is not None
        self._hear(self, word, *details)

    def order(self, word: str, *details: Any) -> None:
        self.orders.append(word)
        for answer in self.script[word]:
            asyncio.get_running_loop().call_soon(self.say, answer, *self.script[f"{answer}:"])

    def kill(self) -> None:
        self.killed = True
        self.say("died", KILLED)

    async def end(self, patience: float) -> None:
        if "closed" not in self.script["close"]:
            self.kill()


GOOD: Mapping[str, Any] = {
    "go": ["lives", "ended"],
    "gone": [],
    "stop_life": ["stopped_life"],
    "quiet": ["quiet"],
    "close": ["closed"],
    "lives:": [[]],
    "stopped_life:": [],
    "quiet:": [True],
    "closed:": [{}],
}
"""What a process says to each order, and what belongs to each of these words."""
ENDLESS = {"go": ["lives"]}
DEAF = {"go": ["lives", "ended"], "stop_life": [], "quiet": [], "close": []}


class Watching:
    """An audience that remembers; it may have no room for reports."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.seen: list[tuple[str, str]] = []

    def started(self, actor: str, pid: int) -> None:
        self.seen.append(("started", actor))

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.seen.append(("reported", actor))

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002
        self.seen.append(("traffic", actor))

    def ended(self, actor: str) -> None:
        self.seen.append(("ended", actor))


def plan(restart: str, hasty: bool) -> Plan:
    tables: dict[str, Any] = {
        "run": {"graceful": 0.1, "drain": 0.05} if hasty else {"graceful": 20, "drain": 10},
        "a": {"actor": Life, "restart": restart},
        "b": {"actor": Life},
    }
    return link(tables, Path(), name="x", importable=False)


def conductor(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    restart: str = "transient",
    audience: Watching | None = None,
    *,
    hasty: bool = False,
) -> tuple[Conductor, Scripted, Scripted]:
    members: list[Member] = [Scripted("a/0", a), Scripted("b/0", b)]
    made = Conductor(plan(restart, hasty), members, audience or Watching())
    first, second = made.members
    assert isinstance(first, Scripted)
    assert isinstance(second, Scripted)
    return made, first, second


async def test_a_run_ends_when_all_lives_have_ended() -> None:
    audience = Watching()
    run, a, _ = conductor({}, {}, audience=audience)

    started = await run.start()
    result = await run.finish()

    assert (started, result.outcome, result.reason, result.problems) == (True, "finished", "", [])
    assert a.orders == ["go", "quiet", "quiet", "stop_life", "quiet", "quiet", "close"]
    assert audience.seen[:2] == [("started", "a/0"), ("started", "b/0")]
    assert set(audience.seen[2:]) == {("ended", "a/0"), ("ended", "b/0")}


async def test_a_service_does_not_hold_the_end() -> None:
    run, _, _ = conductor(ENDLESS, {}, restart="permanent")

    await run.start()
    result = await run.finish()

    assert result.outcome == "finished"


async def test_a_run_of_limited_duration_is_stopped() -> None:
    run, a, _ = conductor(ENDLESS, ENDLESS)

    await run.start()
    result = await run.finish(0.01)

    assert (result.outcome, result.problems) == ("stopped", [])
    assert a.orders[:2] == ["go", "stop_life"]


async def test_what_cannot_be_made_ends_a_run_before_it_begins() -> None:
    run, a, b = conductor({}, {})
    starting = asyncio.ensure_future(run.start())
    run.hear(a, "unbuilt", "ValueError: tau is 0", "")

    started = await starting
    result = await run.close()

    assert not started
    assert (result.outcome, result.seconds) == ("failed", 0.0)
    assert result.reason == "a/0 could not be made: ValueError: tau is 0"
    assert "go" not in b.orders


async def test_who_dies_is_named_and_the_others_are_told() -> None:
    run, a, b = conductor(ENDLESS, ENDLESS)
    await run.start()

    a.say("died", KILLED)
    result = await run.finish()

    assert (result.outcome, result.reason) == ("failed", f"a/0 died: {KILLED}")
    assert b.orders[1:3] == ["gone", "stop_life"]
    assert a.orders == ["go"]


async def test_who_dies_after_it_has_closed_has_not_died() -> None:
    run, a, _ = conductor({}, {})
    await run.start()
    result = await run.finish()

    a.say("died", "its process exited with code 0")

    assert (result.outcome, result.reason) == ("finished", "")


async def test_a_life_that_raises_ends_the_run_with_its_name() -> None:
    run, _, _ = conductor({"ended:": ["a/0", "ValueError: no data", ""]}, ENDLESS)

    await run.start()
    result = await run.finish()

    assert (result.outcome, result.reason) == ("failed", "a/0 failed: ValueError: no data")


async def test_what_goes_wrong_later_is_told_beside_the_reason() -> None:
    run, a, b = conductor(ENDLESS, ENDLESS)
    await run.start()

    a.say("died", KILLED)
    b.say("ended", "b/0", "ActorGone: a/0 is gone", "")
    b.say("ended", "b/0", "ActorGone: a/0 is gone", "")
    result = await run.finish()

    assert result.reason == f"a/0 died: {KILLED}"
    assert result.problems == ["b/0 failed: ActorGone: a/0 is gone"]


@pytest.mark.parametrize(("end", "outcome"), [("stop", "failed"), ("interrupt", "interrupted")])
async def test_a_death_at_the_end_is_not_lost(end: str, outcome: str) -> None:
    run, a, _ = conductor(ENDLESS, ENDLESS)
    await run.start()

    getattr(run, end)()
    a.say("died", KILLED)
    result = await run.finish()

    assert (result.outcome, result.problems) == (outcome, [f"a/0 died: {KILLED}"])


async def test_who_does_not_listen_is_named_and_killed() -> None:
    run, a, b = conductor(DEAF, {}, hasty=True)

    await run.start()
    result = await run.finish()

    assert (a.killed, b.killed) == (True, False)
    assert result.problems[0] == "a/0 did not finish what was under way in 0.05 s"
    assert result.problems[1].startswith("a/0 did not close in 0.0")
    assert (result.outcome, result.reason) == ("finished", "")


async def test_who_always_has_something_under_way_is_named() -> None:
    run, _, _ = conductor({}, {"quiet:": [False]}, hasty=True)

    await run.start()
    result = await run.finish()

    assert result.outcome == "finished"
    assert result.problems == ["b/0 did not finish what was under way in 0.05 s"]


async def test_a_state_that_could_not_be_saved_fails_the_run() -> None:
    unsaved = {"close": ["unsaved", "closed"], "unsaved:": ["a/0", "OSError: disk full"]}
    run, _, _ = conductor(unsaved, {})

    await run.start()
    result = await run.finish()

    assert result.outcome == "failed"
    assert result.reason == "the state of a/0 could not be saved: OSError: disk full"


async def test_an_audience_that_fails_ends_the_run_instead_of_leaving_it_deaf() -> None:
    run, a, _ = conductor(ENDLESS, ENDLESS, audience=Watching(full=True))
    await run.start()

    a.say("news", [[0.1, "a/0", 1, {"loss": 0.5}]], {"a/0": [1, 10]})
    result = await run.finish()

    assert result.outcome == "failed"
    assert result.reason.startswith("what a-0 said could not be kept: OSError: [Errno 28]")


async def test_news_reach_the_audience() -> None:
    audience = Watching()
    run, a, _ = conductor({}, {}, audience=audience)
    await run.start()

    a.say("news", [[0.1, "a/0", 1, {"loss": 0.5}]], {"a/0": [1, 10]})
    await run.finish()

    assert {("reported", "a/0"), ("traffic", "a/0")} <= set(audience.seen)


async def test_a_second_interrupt_kills_all() -> None:
    run, a, b = conductor(DEAF, DEAF)
    await run.start()

    run.interrupt()
    run.kill()
    result = await run.finish()

    assert (a.killed, b.killed) == (True, True)
    assert (result.outcome, result.problems) == ("interrupted", [])


async def test_a_run_whose_lives_have_ended_is_not_stopped_any_more() -> None:
    run, _, _ = conductor({}, {})
    await run.start()
    await run.wait()

    run.stop_if_alive()

    assert (await run.close()).outcome == "finished"


async def test_the_books_of_all_processes_come_together() -> None:
    run, _, _ = conductor(
        {"closed:": [{"a/0": {"steps": 1}}]}, {"closed:": [{"b/0": {"steps": 2}}]}
    )

    await run.start()
    result = await run.finish()

    assert result.records == {"a/0": {"steps": 1}, "b/0": {"steps": 2}}
