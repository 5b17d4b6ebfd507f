"""The agent of a host that is not home."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.runners.agents import Play, play, until
from tests.runners.worlds import virtual
from tether.actors.checkpoint import About, Checkpoints
from tether.runners.folder import StateFolder
from tether.runners.outpost import watch_input
from tether.runners.result import Start

__all__ = ["play"]


@virtual
async def test_final_states_and_logs_go_home_at_the_end(play: Play, tmp_path: Path) -> None:
    party = play()
    _, running = await party.begin()
    StateFolder(tmp_path / "there" / "state").write("adder-0.safetensors", [b"state"])
    (tmp_path / "there" / "logs" / "adder-0.log").write_text("said\n")

    await party.end()

    assert await running == 0
    assert (tmp_path / "home" / "state" / "adder-0.safetensors").read_bytes() == b"state"
    assert (tmp_path / "home" / "logs" / "adder-0.log").read_text() == "said\n"


@virtual
async def test_files_stay_where_they_are_when_home_is_cut_off_among_them(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tether.runners.parcel.PIECE", 1)
    party = play()
    _, running = await party.begin()
    (tmp_path / "there" / "logs" / "adder-0.log").write_text("x" * 100)
    party.conductor.stop()
    await party.conductor.close()
    ending = asyncio.ensure_future(party.home.dismiss(0))
    await until((tmp_path / "home" / "logs" / ".adder-0.log.part").exists)

    party.wire.cut = True
    await ending
    await party.home.close(0)

    assert await running == 0
    assert "home left is silent: the rest of what is here stays" in party.said
    assert not (tmp_path / "home" / "logs" / "adder-0.log").exists()


@virtual
async def test_while_home_is_silent_its_actors_are_told_to_be_unreachable(play: Play) -> None:
    party = play()
    _, running = await party.begin()
    news = party.made["adder-0"].news

    party.wire.cut = True
    await until(lambda: "unreachable" in [each["what"] for each in party.made["adder-0"].news])
    party.wire.cut = False
    await until(lambda: "reachable" in [each["what"] for each in party.made["adder-0"].news])
    told = party.made["adder-0"].news[len(news) :]
    await party.end()

    assert [(each["what"], each["actor"]) for each in told][:2] == [
        ("unreachable", "counter/0"),
        ("reachable", "counter/0"),
    ]
    await running


@virtual
async def test_an_agent_that_home_does_not_know_ends(play: Play) -> None:
    party = play()
    _, running = await party.begin()

    party.home.hosts["right"].trunk = None

    assert await running == 1
    assert "home left does not know this agent any more, so it ends" in party.said
    party.conductor.kill()
    await party.end()


@virtual
async def test_an_agent_does_not_obey_another_start_of_home(play: Play) -> None:
    party = play()
    outpost, running = await party.begin()
    exchange = party.home._exchange
    assert exchange is not None

    exchange.session = "another"
    party.home._send("right", outpost._exchange.session, "line", [1.0, 0.0, 0, 0, None])

    assert await running == 1
    assert "home left was started anew, so this agent ends" in party.said
    await party.end()


@virtual
async def test_a_second_signal_does_not_wait_for_home(play: Play) -> None:
    party = play()
    outpost, running = await party.begin()

    outpost.signalled(signal.SIGTERM)
    waiting = party.said[-1]
    outpost.signalled(signal.SIGTERM)

    assert await running == 1
    assert waiting == "this host leaves the run in 0.2 s; once more, and it does now"
    assert "host right is lost: its agent was ended by SIGTERM" in party.said
    party.conductor.revival.end()
    await party.end()


@virtual
async def test_a_signal_before_home_has_answered_ends_the_agent(play: Play) -> None:
    party = play()
    outpost = party.outpost()
    running = asyncio.ensure_future(outpost.run())
    await asyncio.sleep(0)

    outpost.signalled(signal.SIGINT)

    assert await running == 1


@virtual
async def test_an_agent_that_fails_tells_home_why_and_ends_all_it_has(play: Play) -> None:
    party = play()
    outpost, running = await party.begin()

    async def fail() -> None:
        raise ValueError("the disk is gone")

    outpost._beside(fail())

    assert await running == 1
    why = "its agent failed: ValueError: the disk is gone"
    assert f"host right is lost: {why}" in party.said
    assert party.made["adder-0"].killed
    party.conductor.revival.end()
    await party.end()


@virtual
async def test_a_host_without_the_checkpoints_wanted_does_not_take_part(
    play: Play, tmp_path: Path
) -> None:
    party = play()
    there = Checkpoints(StateFolder(tmp_path / "there" / "checkpoints"))
    there.write(About("adder/0", "x:Adder", 1, 3), {"t": 1})
    home = party.home = party.new_home(Start(restore={"adder/1": [3]}))
    running = asyncio.ensure_future(party.outpost().run())
    await home.open(party.conductor)

    assert await running == 1

    (left,) = [said for said in party.said if said.startswith("host right leaves the run: ")]
    assert "host right has checkpoints of adder/0, but home goes on without any" in left
    assert "host right has no checkpoint of adder/1 of round 3, from which home goes on" in left
    await home.close(2)


@virtual
async def test_an_agent_that_cannot_make_its_directory_leaves_with_its_reason(
    play: Play, tmp_path: Path
) -> None:
    party = play()
    (tmp_path / "there").write_text("a file")
    running = asyncio.ensure_future(party.outpost().run())
    await party.home.open(party.conductor)

    assert await running == 1

    assert any("its agent failed: NotADirectoryError: " in said for said in party.said)
    await party.home.close(2)


def test_the_end_of_the_standard_input_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    ended = threading.Event()
    monkeypatch.setattr("tether.runners.outpost.os.read", lambda _fd, n: READ(read, n))

    watch_input(ended.set)
    os.write(write, b"something")
    before = ended.wait(0.05)
    os.close(write)

    assert not before
    assert ended.wait(10)
    os.close(read)


READ = os.read
