"""Groups: many are asked like one, and enough of them may be enough."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually
from tests.conformance.members import Leader, Member
from tether.actors import Group
from tether.runners.world import World

WIRING = {
    "member": {"actor": Member, "index": "$index", "count": 3, "processes": 2},
    "leader": {"actor": Leader, "members": "@member[*]", "beside": "member"},
}


def test_a_map_asks_all_and_answers_in_member_order(play: Play) -> None:
    gates = [play.gate() for _ in range(3)]

    async def main(world: World) -> tuple[list[int], list[None], list[list[Any]]]:
        members = world.group(Member, "member")
        asked = asyncio.ensure_future(
            members.map(Member.answer_after, 5, [gate.path for gate in gates])
        )
        for gate in reversed(gates):
            await gate.reached()
            gate.open()
        answers = await asked
        assert await members[1:].map(Member.answer, x=7) == [8, 9]
        assert await Group[Member]([]).map(Member.answer, 1) == []
        return answers, await members.map(Member.note, "all"), await members.map(Member.handled)

    answers, nothing, seen = play(WIRING, main)

    assert (answers, nothing) == ([5, 6, 7], [None] * 3)
    assert seen == [[5, "all"], [5, 7, "all"], [5, 7, "all"]]


def test_a_stream_yields_answers_as_they_come(play: Play) -> None:
    gates = [play.gate() for _ in range(3)]

    async def main(world: World) -> list[int]:
        members, answers, order = world.group(Member, "member"), [], [1, 2, 0]
        gates[order[0]].open()
        stream = members.stream(Member.answer_after, 5, [gate.path for gate in gates])
        async for answer in stream:
            answers.append(answer)
            if len(answers) < len(order):
                gates[order[len(answers)]].open()
        return answers

    assert play(WIRING, main) == [6, 7, 5]


async def mapped(members: Group[Member], gate: str) -> None:
    """Have the second of them fail once a gate is open."""
    await members.map(Member.diverge, 1, [1], gate)


async def streamed(members: Group[Member], gate: str) -> None:
    """Do the same with a stream."""
    async for _ in members.stream(Member.diverge, 1, [1], gate):
        pass


def test_a_failure_cancels_the_rest_and_is_raised_in_a_group(play: Play) -> None:
    async def main(world: World) -> tuple[list[BaseException], list[Any]]:
        members, failures = world.group(Member, "member"), list[BaseException]()
        for ask, how in ((mapped, "map"), (streamed, "stream")):
            waits = play.gate()
            held = asyncio.ensure_future(members[0].hold_until_withdrawn(waits.path))
            await asyncio.sleep(0)
            text = rf"Group\.{how}\(Member\.diverge\)"
            with pytest.raises(ExceptionGroup, match=text) as caught:
                await ask(members, waits.path)
            failures += caught.value.exceptions
            await held
        return failures, await members[0].handled()

    failures, seen = play(WIRING, main)

    assert [(type(error), error.args) for error in failures] == [(ValueError, ("1 diverged",))] * 2
    assert seen == []
    assert play.account("world", "member/0")["dropped"] == {"cancelled": 2}


def test_enough_answers_are_enough_and_who_did_not_give_one_is_named(play: Play) -> None:
    go, gate = play.gate(), play.gate()

    async def main(world: World) -> tuple[list[Any], list[int]]:
        leader, members = world.ref(Leader, "leader"), list(world.group(Member, "member"))
        asking = asyncio.ensure_future(leader.first(2, [go.path, gate.path, go.path], late=False))
        await gate.reached()
        go.open()
        dropped = await asking
        assert dropped == [[10, 12], [members[0], members[2]], {members[1]: "late"}]
        handed = await leader.first(2, ["", gate.path, ""], late=True)
        assert handed == dropped
        gate.open()
        late = await eventually(leader.came_late)
        return await members[1].handled(), late

    seen, late = play(WIRING, main)

    assert seen == [10, 10]  # the first had started; nobody asked for its answer any more
    assert late == [11]


def test_a_quorum_that_is_missed_says_what_came_and_why_the_rest_did_not(play: Play) -> None:
    gate = play.gate()

    async def main(world: World) -> None:
        leader, members = world.ref(Leader, "leader"), list(world.group(Member, "member"))
        first, second, third = members
        text, answers, gave, missing = await leader.first_of_failing(2, [0, 2])
        assert text == f"Group.first(2).map(Member.diverge): {len(answers)} of 3 answered"
        assert (answers, gave) in [([11], [second]), ([], [])]  # it may be lost before that
        assert missing[first] == "ValueError: 0 diverged"
        assert missing[third] == "ValueError: 2 diverged"
        enough = await leader.first_of_failing(2, [1])
        assert enough[:3] == ["", [10, 12], [first, third]]
        assert enough[3][second] in {"ValueError: 1 diverged", "late"}
        late = await leader.first_within(3, 0.6, ["", gate.path, ""])
        assert late == [
            "Group.first(3).map(Member.answer_after): 2 of 3 answered within 0.6 s",
            [10, 12],
            [first, third],
            {second: "late"},
        ]
        gate.open()

    play(WIRING, main)


def test_a_group_is_an_ordered_set_of_its_members(play: Play) -> None:
    async def main(world: World) -> None:
        members = world.group(Member, "member")
        assert list(map(repr, members)) == ["<Ref member/0>", "<Ref member/1>", "<Ref member/2>"]
        assert (len(members), members[1], members[-1]) == (3, *list(members)[1:])
        assert list(members[:2]) == list(members)[:2]
        assert members.random() in members
        assert set(members.sample(2)) < set(members)
        with pytest.raises(ValueError, match=r"Group\.sample: 4 of 3 members cannot be drawn"):
            members.sample(4)
        with pytest.raises(ValueError, match=r"Group\.first: 4 of 3 members cannot answer"):
            members.first(4)
        with pytest.raises(ValueError, match=r"Group\.resize: this group is fixed"):
            await members.resize(4)

    play(WIRING, main)
