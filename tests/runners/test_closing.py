"""The end of a run: in order where processes let it, and within seconds where they do not."""

from __future__ import annotations

import pytest

from tests.runners.scripted import (
    A_AND_B,
    DEAF,
    ENDLESS,
    HASTY,
    KILLED,
    Answers,
    Scene,
    Scripted,
    Watching,
    nothing,
)
from tether.actors.journal import Key, Word


async def test_who_does_not_listen_is_named_and_killed() -> None:
    scene = Scene(A_AND_B, {"a-0": DEAF}, times=HASTY)

    await scene.run.start()
    result = await scene.run.finish()

    assert (scene["a-0"].killed, scene["b-0"].killed) == (True, False)
    assert result.problems[0] == "a/0 did not finish what was under way in 0.05 s"
    assert result.problems[1].startswith("a/0 did not close in 0.0")
    assert (result.outcome, result.reason) == ("finished", "")


async def test_whose_life_does_not_end_is_named() -> None:
    scene = Scene(A_AND_B, {"a-0": {**ENDLESS, "stop_life": nothing}}, times=HASTY)
    await scene.run.start()

    scene.run.stop()
    result = await scene.run.finish()

    assert result.problems == ["a/0 did not stop in 0.05 s"]


async def test_who_always_has_something_under_way_is_named() -> None:
    scene = Scene(A_AND_B, {"b-0": {"quiet": lambda: [["quiet", False]]}}, times=HASTY)

    await scene.run.start()
    result = await scene.run.finish()

    assert result.outcome == "finished"
    assert result.problems == ["b/0 did not finish what was under way in 0.05 s"]


@pytest.mark.parametrize(("end", "outcome"), [("stop", "failed"), ("interrupt", "interrupted")])
async def test_a_death_at_the_end_is_not_lost(end: str, outcome: str) -> None:
    scene = Scene(A_AND_B, {"a-0": ENDLESS, "b-0": ENDLESS})
    await scene.run.start()

    getattr(scene.run, end)()
    scene["a-0"].die()
    result = await scene.run.finish()

    assert result.outcome == outcome
    assert f"a/0 died: {KILLED}" in [result.reason, *result.problems]


async def test_who_dies_while_mailboxes_empty_holds_nobody_up_and_does_not_come_back() -> None:
    audience = Watching()
    dying = {"quiet": lambda: [["died", KILLED]]}
    scene = Scene(A_AND_B, {"a-0": dying}, audience)
    await scene.run.start()

    result = await scene.run.finish()

    assert (result.outcome, result.reason) == ("failed", f"a/0 died: {KILLED}")
    assert result.problems == []
    assert ("gave up", "a/0") in audience.seen
    assert scene["b-0"].news == [
        {"what": "down", "actor": "a/0", "why": KILLED, "wills": {}, "final": True},
        {"what": "ended", "process": "a-0"},
    ]
    assert len(scene.made["a-0"]) == 1
    assert scene["b-0"].words[-1] == "close"


async def test_nobody_waits_in_the_end_for_who_is_down() -> None:
    again = {"start": nothing}
    scene = Scene(
        {"a": {"restart": "permanent"}, "b": {}}, {"a-0": [ENDLESS, again], "b-0": ENDLESS}
    )
    await scene.run.start()
    scene["a-0"].die()
    await scene.until(lambda: len(scene.made["a-0"]) == 2)

    scene["b-0"].say("ended", "b/0", True)
    result = await scene.run.finish()

    assert (result.outcome, result.problems) == ("finished", [])
    assert scene["a-0"].killed
    first, _ended, last = scene["b-0"].news
    assert (first["final"], last["final"]) == (False, True)
    assert last["why"] == f"{KILLED}; the run is ending"
    assert scene["a-0"].words == []


async def test_what_a_process_counted_is_known_though_it_is_gone_before_the_others() -> None:
    scene = Scene(A_AND_B, {"b-0": {"close": nothing}}, times={"graceful": 0.2, "drain": 0.1})
    await scene.run.start()
    scene["a-0"].journal.row(Key("a/0", 1, "b/0", 1))[Word.SENT] = 3
    scene["a-0"].script["close"] = leaving(scene["a-0"])

    result = await scene.run.finish()

    (account,) = result.records["a/0"]["accounts"]
    assert (account["sent"], account["in_flight"], account["unknown"]) == (3, 3, 0)


def leaving(member: Scripted) -> Answers:
    """Close, end, and take the journal along."""

    def answer(_cut: int) -> list[list[str]]:
        member.say("closed")
        member.say("died", "its process exited with code 0")
        member.journal = type(member.journal)()
        return []

    return answer


async def test_a_run_that_never_began_is_closed_without_a_drain() -> None:
    scene = Scene(A_AND_B, {"a-0": {"start": nothing}})
    scene.run.interrupt()

    started = await scene.run.start()
    result = await scene.run.close()

    assert (started, result.outcome, result.seconds) == (False, "interrupted", 0.0)
    assert scene["a-0"].words == ["close"]
