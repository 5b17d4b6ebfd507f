"""One other host, as home knows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runners.agents import Party, until


async def test_actors_are_given_up_when_their_host_has_no_agent_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = Party(tmp_path, monkeypatch, wait=0.3)
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


async def test_words_about_an_earlier_start_of_a_process_are_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = Party(tmp_path, monkeypatch)
    _, running = await party.begin()
    host = party.home.hosts["right"]

    host.take("said", "adder-0", 7, "died", ["why"], [], False)
    host.take("beats", [["adder-0", 7, 1.0, 1.0, "held"], ["nobody", 1, 1.0, 1.0, ""]])

    assert party.conductor.roster.entries["adder/0"].state == "up"
    assert host.members["adder-0"].box.stall == ""
    await party.end()
    await running


async def test_a_host_that_leaves_is_lost_at_once_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = Party(tmp_path, monkeypatch)
    _, running = await party.begin()

    party.home.hosts["right"].take("left", "its agent was ended by SIGTERM")

    assert party.conductor.roster.entries["adder/0"].why == "its agent was ended by SIGTERM"
    assert await running == 1
    party.conductor.revival.end()
    await party.end()
