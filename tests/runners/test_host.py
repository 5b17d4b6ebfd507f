"""One other host, as home knows it."""

from __future__ import annotations

import pytest

from tests.runners.agents import Play, play, until
from tests.runners.worlds import virtual

__all__ = ["play"]


@virtual
async def test_actors_are_given_up_when_their_host_has_no_agent_for_too_long(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = play(wait=0.3)
    _, running = await party.begin()

    party.home.lose(party.home.hosts["right"], "the test says so")
    await running
    await until(
        lambda: all(party.conductor.roster.entries[f"adder/{k}"].state == "gone" for k in (0, 1))
    )
    await party.end()

    assert party.conductor.result.reason == (
        "adder/0 was given up: it could not be made: host right has no agent; none came in 0.3 s"
    )


@virtual
async def test_words_about_an_earlier_start_of_a_process_are_not_heard(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = play()
    _, running = await party.begin()
    host = party.home.hosts["right"]

    host.take("said", "adder-0", 7, "died", ["why"], [], False)
    host.take("beats", [["adder-0", 7, 1.0, 1.0, "held"], ["nobody", 1, 1.0, 1.0, ""]])

    assert party.conductor.roster.entries["adder/0"].state == "up"
    assert host.members["adder-0"].box.stall == ""
    await party.end()
    await running


@virtual
async def test_a_host_that_leaves_is_lost_at_once_with_its_reason(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = play()
    _, running = await party.begin()

    party.home.hosts["right"].take("left", "its agent was ended by SIGTERM")

    assert party.conductor.roster.entries["adder/0"].why == "its agent was ended by SIGTERM"
    assert await running == 1
    party.conductor.revival.end()
    await party.end()
