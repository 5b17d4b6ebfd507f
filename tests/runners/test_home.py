"""Home's side of a run over several hosts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.runners.agents import Play, play, until
from tests.runners.worlds import virtual
from tether.runners.distant import Distant
from tether.runners.exchange import Packet
from tether.runners.problems import WiringError

__all__ = ["play"]


@virtual
async def test_processes_of_other_hosts_are_made_there(play: Play) -> None:
    party = play()
    _, running = await party.begin()

    kinds = {name: isinstance(m, Distant) for name, m in party.conductor.roster.members.items()}
    await party.end(3)

    assert kinds == {"counter-0": False, "adder-0": True, "adder-1": True}
    assert await running == 3
    assert party.conductor.result.problems == []
    assert "host right is here" in party.said


@virtual
async def test_who_is_awaited_is_named_and_given_up_in_time(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = play(wait=0.05)
    await party.home.open(party.conductor)
    wanted = r"\[hosts\]: within 0.05 s nothing was heard of host right \(tether up … --host right"

    with pytest.raises(TimeoutError, match=wanted):
        await party.home.gather()

    assert party.said == ["waiting for host right (tether up … --host right)"]
    await party.home.close(2)


@virtual
async def test_a_host_that_calls_but_is_not_reached_is_told_apart(play: Play) -> None:
    party = play(wait=0.2)
    party.wire.mute = {"left"}
    running = asyncio.ensure_future(party.outpost().run())
    await party.home.open(party.conductor)

    with pytest.raises(TimeoutError, match=r"right has called, but is not reached at 10\.0\.0\.2"):
        await party.home.gather()

    party.wire.mute = set()
    party.home._renewed("right")
    await party.home.close(2)
    assert await running == 2


@virtual
async def test_a_host_with_other_sources_ends_what_had_not_begun(play: Play) -> None:
    party = play()
    other = replace(party.plan, digests={**party.plan.digests, "the wiring": "0" * 64})
    running = asyncio.ensure_future(party.outpost(other).run())
    await party.home.open(party.conductor)

    with pytest.raises(WiringError, match=r"the wiring is .* on host left, but 000000000000 on"):
        await party.home.gather()

    assert await running == 2
    assert any(said.startswith("home left refuses this host: the wiring") for said in party.said)
    assert any(said.startswith("host right was refused: the wiring is ") for said in party.said)
    await party.home.close(2)


@virtual
async def test_a_run_that_is_over_is_not_waited_for(play: Play) -> None:
    party = play()
    await party.home.open(party.conductor)
    gathering = asyncio.ensure_future(party.home.gather())

    party.conductor.interrupt()

    assert await gathering is False
    await party.home.close(130)


@virtual
async def test_what_has_started_an_agent_in_vain_is_told(play: Play) -> None:
    party = play()
    await party.home.open(party.conductor)
    party.home.abandoned("right", "ssh to host right has ended with code 255")

    with pytest.raises(WiringError, match="ended with code 255 before its agent called"):
        await party.home.gather()

    await party.home.close(2)


@virtual
async def test_a_silent_host_is_lost_and_taken_back_with_its_next_agent(play: Play) -> None:
    party = play()
    _, running = await party.begin()

    party.wire.cut = True
    await until(
        lambda: "host right is lost: nothing was heard of host right for 0.4 s" in party.said
    )
    ended = await running
    party.wire.cut = False
    states = {e.spec.name: e.state for e in party.conductor.roster}
    again = asyncio.ensure_future(party.outpost().run())
    await until(lambda: all(e.state == "up" for e in party.conductor.roster))
    await party.end()

    assert ended == 1
    assert states == {"counter/0": "up", "adder/0": "down", "adder/1": "down"}
    assert await again == 0


@pytest.mark.parametrize("mute", [{"left"}, {"right"}, {"left", "right"}])
@virtual
async def test_the_agent_ends_all_it_has_before_home_takes_it_for_dead(
    play: Play, mute: set[str]
) -> None:
    party = play()
    _, running = await party.begin()

    party.wire.mute = mute
    await running
    killed = [party.made[name].killed for name in ("adder-0", "adder-1")]
    there = party.home.hosts["right"].trunk is not None
    await until(lambda: party.home.hosts["right"].trunk is None)

    assert (killed, there) == ([True, True], True)
    party.wire.mute = set()
    party.conductor.revival.end()
    await party.end()


@virtual
async def test_a_short_cut_loses_nothing(play: Play) -> None:
    party = play()
    outpost, running = await party.begin()

    party.wire.cut = True
    party.made["adder-0"].say("ended", "adder/0", True)
    await asyncio.sleep(0)
    party.wire.cut = False
    outpost._renewed("left")
    await until(lambda: party.conductor.roster.entries["adder/0"].returned)
    await party.end()

    assert await running == 0


@virtual
async def test_a_host_of_which_nothing_is_heard_at_the_end_is_not_waited_for(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tether.runners.distant.MARGIN", 0.05)
    party = play()
    _, running = await party.begin()

    party.wire.cut = True
    await party.end()

    problem = "host right was not there at the end: what its actors left is there"
    assert problem in party.conductor.result.problems
    assert await running == 1


@virtual
async def test_a_host_that_is_in_no_table_is_told_of(play: Play) -> None:
    party = play()
    await party.home.open(party.conductor)

    party.home._take(Packet("middle", "s", "", "hello", {}))

    assert party.said == ["a host 'middle' wants to take part, but [hosts] has none such"]
    await party.home.close(0)


@virtual
async def test_what_cannot_be_kept_of_a_host_fails_the_run(play: Play) -> None:
    party = play()
    outpost, running = await party.begin()

    outpost._put("file", "logs", "adder-0.log", 0, 7, True)
    await until(party.conductor.over.is_set)
    await party.end()

    assert party.conductor.result.reason.startswith("what host right said could not be kept: Type")
    await running
