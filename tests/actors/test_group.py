"""A group is asked like a map, and its failures are one ExceptionGroup."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import World, until
from tether.actors import ActorGone, Group, QuorumMissed, buffer, oneway
from tether.actors.clock import SystemClock
from tether.actors.compression import CODECS, Way
from tether.actors.group import live_group, live_of
from tether.actors.journal import Key, Word
from tether.actors.membership import Membership
from tether.actors.press import Presses
from tether.actors.ref import make_ref


class Client:
    def __init__(self, number: int) -> None:
        self.number = number
        self.open = asyncio.Event()
        self.noted: list[Any] = []
        self.given = 0

    async def update(self, w: int, scale: int = 1) -> int:
        return self.number * scale + w

    async def wait(self) -> int:
        await self.open.wait()
        return self.number

    async def odd_fails(self) -> int:
        if self.number % 2:
            raise ValueError(f"{self.number} is odd")
        await self.open.wait()
        return self.number

    async def see(self, x: torch.Tensor) -> float:
        self.given = x.data_ptr()
        return x.sum().item()

    @oneway
    async def note(self, value: Any) -> None:
        self.noted.append(value)


def clients(world: World, size: int = 4) -> Group[Any]:
    sides = ("left", "right")
    return Group(
        [
            world.spawn(f"client/{n}", partial(Client, n), Client, at=sides[n % 2])
            for n in range(size)
        ]
    )


async def test_answers_come_in_member_order(world: World) -> None:
    group = clients(world)

    assert await group.map(Client.update, 100) == [100, 101, 102, 103]
    assert await group.map(Client.update, 1, scale=2) == [1, 3, 5, 7]


async def test_plain_objects_are_asked_where_no_framework_runs() -> None:
    group = Group([Client(n) for n in range(3)])

    assert await group.map(Client.update, 10) == [10, 11, 12]
    assert sorted([answer async for answer in group.stream(Client.update, 10)]) == [10, 11, 12]


async def test_nobody_answers_for_an_empty_group() -> None:
    assert await Group[Client]([]).map(Client.update, 1) == []


async def test_a_one_way_is_handed_to_all(world: World) -> None:
    group = clients(world)

    assert await group.map(Client.note, "x") == [None] * 4
    await world.quiet()

    assert [world.actor(f"client/{n}").noted for n in range(4)] == [["x"]] * 4


async def test_the_argument_is_encoded_once_for_all(memory: World) -> None:
    group = clients(memory)

    async def play() -> tuple[int, list[float]]:
        x = torch.ones(20_000)
        sums = await group.map(Client.see, x)
        lent = buffer(20_000).zero_()
        await group.map(Client.see, lent)
        assert memory.actor("client/0").given == lent.data_ptr()
        assert not memory.nodes["left"].pool.is_lent(lent.data_ptr())
        return len({memory.actor(f"client/{n}").given for n in range(4)}), sums

    assert await memory.act(play) == (1, [20_000.0] * 4)


async def test_answers_stream_as_they_come(world: World) -> None:
    group = clients(world, 3)
    order = []
    world.actor("client/2").open.set()

    async for number in group.stream(Client.wait):
        order.append(number)
        world.actor(f"client/{(number + 2) % 3}").open.set()

    assert order == [2, 1, 0]


async def test_leaving_a_stream_early_cancels_the_rest(world: World) -> None:
    group = clients(world, 3)
    world.actor("client/1").open.set()

    async def play() -> int:
        stream = group.stream(Client.wait)
        first = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return first

    first = await world.act(play)
    for n in (0, 2):
        world.actor(f"client/{n}").open.set()
    await world.quiet()

    assert first == 1
    assert sum(world.books("script/0", f"client/{n}")["late"] for n in range(3)) <= 2
    assert world.books("script/0", "client/1")["late"] == 0


async def test_failures_are_raised_together_and_cancel_the_rest(world: World) -> None:
    group = clients(world)

    async def play() -> None:
        await group.map(Client.odd_fails)

    with pytest.raises(
        ExceptionGroup, match=r"Group\.map\(Client\.odd_fails\): \d of 4 failed"
    ) as e:
        await world.act(play)
    for n in range(4):
        world.actor(f"client/{n}").open.set()
    await world.quiet()

    assert {str(error) for error in e.value.exceptions} <= {"1 is odd", "3 is odd"}
    for n in (0, 2):
        books = world.books("script/0", f"client/{n}")
        assert books["handled"] + sum(books["dropped"].values()) == 1


async def test_a_failure_in_a_stream_is_raised_in_a_group_too(world: World) -> None:
    group = clients(world, 2)

    with pytest.raises(ExceptionGroup, match=r"Group\.stream\(Client\.odd_fails\): a member fail"):
        async for _ in group.stream(Client.odd_fails):
            pass


async def test_a_cancelled_map_cancels_its_asks(world: World) -> None:
    group = clients(world, 2)
    for n in range(2):
        await asyncio.gather(group[n].update(0))
    task = asyncio.ensure_future(group.map(Client.wait))
    await until(lambda: world.cell("client/1").current and world.cell("client/0").current)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for n in range(2):
        world.actor(f"client/{n}").open.set()
    await world.quiet()

    assert all(len(node.calls) == 0 for node in world.each)


def test_members_are_found_by_index_and_slice() -> None:
    group = Group(["a", "b", "c"])

    assert (group[0], group[-1], group[1:]) == ("a", "c", Group(["b", "c"]))
    assert (len(group), list(group), "b" in group, "x" in group) == (
        3,
        ["a", "b", "c"],
        True,
        False,
    )
    assert {group: 1}[Group(["a", "b", "c"])] == 1
    assert group != ["a", "b", "c"]
    assert repr(group) == "Group(['a', 'b', 'c'])"


def test_a_sample_is_of_different_members() -> None:
    group = Group(range(20))

    drawn = group.sample(10)

    assert len(set(drawn)) == len(drawn) == 10
    assert set(group.sample(20)) == set(range(20))
    assert group.sample(0) == Group([])


def test_every_member_is_drawn_with_the_same_chance() -> None:
    group = Group(range(4))

    drawn = [group.random() for _ in range(4000)]

    assert all(850 < drawn.count(member) < 1150 for member in range(4))


@pytest.mark.parametrize("size", [-1, 3])
def test_no_more_than_all_can_be_drawn(size: int) -> None:
    with pytest.raises(ValueError, match=rf"Group\.sample: {size} of 2 members cannot be drawn"):
        Group([1, 2]).sample(size)


def test_nobody_can_be_drawn_from_an_empty_group() -> None:
    with pytest.raises(IndexError, match=r"Group\.random: the group is empty, so there is nobody"):
        Group([]).random()


@pytest.mark.parametrize("size", [0, 3])
def test_a_quorum_is_of_some_or_all(size: int) -> None:
    with pytest.raises(ValueError, match=rf"Group\.first: {size} of 2 members cannot answer"):
        Group([1, 2]).first(size)


async def test_an_actor_draws_from_its_own_generator(world: World) -> None:
    async def play() -> list[int]:
        return [Group(range(1000)).random() for _ in range(5)]

    drawn = await world.act(play)
    again = await world.act(play, "script/1")

    assert drawn != again


class Guest:
    """A plain member that says its name, after something has changed."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def say(self, change: Callable[[], None]) -> str:
        change()
        await asyncio.sleep(0)
        change()
        return self.name

    async def leave(self, membership: Membership) -> str:
        membership.leave("guest/1")
        if self.name == "guest/1":
            raise ActorGone("guest/1 left")
        return self.name


async def no_resize(table: str, size: int) -> None:
    raise AssertionError(f"{table} was resized to {size}")


def party(*indices: int, without: str = "") -> tuple[Membership, Group[Any]]:
    """Return a membership of plain guests, and a live group that follows it."""
    membership = Membership({"guest": tuple(f"guest/{index}" for index in indices)})
    return membership, live_group("guest", membership, Guest, no_resize, without)


def names(group: Group[Any]) -> list[str]:
    return [guest.name for guest in group]


def changing(membership: Membership, changes: list[int]) -> Callable[[], None]:
    """Return what makes the next change each time: an index joins (0 and more) or leaves (-1)."""
    steps: Iterator[int] = cycle(changes or [0])

    def change() -> None:
        step = next(steps)
        if step >= 0:
            membership.join(f"guest/{step}")
        elif members := membership.members("guest"):
            membership.leave(members[step % len(members)])

    return change


def test_a_live_group_follows_who_joins_and_who_leaves() -> None:
    membership, group = party(0, 1)

    membership.join("guest/2")
    grown = names(group)
    membership.leave("guest/0")

    assert grown == ["guest/0", "guest/1", "guest/2"]
    assert (names(group), len(group), group[0].name) == (["guest/1", "guest/2"], 2, "guest/1")
    assert group[-1] in group


def test_the_others_of_a_live_group_are_never_oneself() -> None:
    membership, group = party(0, 1, without="guest/1")

    membership.leave("guest/1")
    membership.join("guest/1")

    assert names(group) == ["guest/0"]


def test_slices_and_samples_of_a_live_group_stay_as_they_were_drawn() -> None:
    membership, group = party(0, 1, 2)
    part, drawn = group[1:], group.sample(3)

    membership.leave("guest/2")

    assert names(part) == ["guest/1", "guest/2"]
    assert sorted(names(drawn)) == ["guest/0", "guest/1", "guest/2"]
    assert (live_of(part), live_of(drawn), live_of(group)) == (None, None, ("guest", ""))


INDICES = st.lists(st.integers(0, 9), unique=True).map(sorted)
CHANGES = st.lists(st.integers(-3, 9), max_size=8)


@given(INDICES, CHANGES)
def test_whatever_changes_during_a_map_it_asks_those_of_its_beginning(
    indices: list[int], changes: list[int]
) -> None:
    membership, group = party(*indices)

    answers = asyncio.run(group.map(Guest.say, changing(membership, changes)))

    assert answers == [f"guest/{index}" for index in indices]


@given(INDICES, CHANGES)
def test_whatever_changes_during_a_stream_it_asks_those_of_its_beginning(
    indices: list[int], changes: list[int]
) -> None:
    membership, group = party(*indices)
    change = changing(membership, changes)

    async def play() -> list[str]:
        came = []
        async for answer in group.stream(Guest.say, change):
            change()
            came.append(answer)
        return came

    assert sorted(asyncio.run(play())) == [f"guest/{index}" for index in indices]


@given(INDICES.filter(bool), CHANGES, st.data())
def test_whatever_changes_during_a_quorum_it_accounts_for_those_of_its_beginning(
    indices: list[int], changes: list[int], data: st.DataObject
) -> None:
    membership, group = party(*indices)
    size = data.draw(st.integers(1, len(indices)))
    before = list(group)

    answers = asyncio.run(group.first(size).map(Guest.say, changing(membership, changes)))

    assert len(answers) == size
    assert {*answers.members, *answers.missing} == set(before)


@given(INDICES.filter(bool), CHANGES)
def test_whatever_changes_between_them_each_draw_is_of_those_there(
    indices: list[int], changes: list[int]
) -> None:
    membership, group = party(*indices)
    change = changing(membership, changes)

    for guest in group:
        assert f"guest/{indices.pop(0)}" == guest.name
        change()
        present = membership.members("guest")
        assert not present or group.random().name in present
        assert sorted(names(group.sample(len(present)))) == sorted(present)

    assert indices == []


async def test_a_quorum_that_is_kept_asks_those_there_at_each_map() -> None:
    membership, group = party(0, 1)
    quorum = group.first(2)

    membership.join("guest/2")
    grown = await quorum.map(Guest.say, lambda: None)
    membership.leave("guest/0")
    membership.leave("guest/1")

    assert len(grown.members) + len(grown.missing) == 3
    with pytest.raises(QuorumMissed, match=r"Group\.first\(2\)\.map\(Guest\.say\): 0 of 1 ans"):
        await quorum.map(Guest.say, lambda: None)


async def test_a_member_that_leaves_during_a_call_is_a_failure_of_the_call() -> None:
    membership, group = party(0, 1, 2)

    with pytest.raises(ExceptionGroup, match=r"Group\.map\(Guest\.leave\): 1 of 3") as caught:
        await group.map(Guest.leave, membership)

    assert caught.group_contains(ActorGone, match="guest/1 left")
    assert await group.map(Guest.leave, membership) == ["guest/0", "guest/2"]


def test_a_live_group_equals_its_members_and_is_found_again_in_a_dict() -> None:
    membership, group = party(0, 1)
    kept = {group: "mine"}
    equal_before = group == Group(list(group))

    membership.leave("guest/1")

    assert equal_before
    assert group != Group([])
    assert kept[group] == "mine"


@pytest.mark.parametrize(("without", "title"), [("", "guest[*]"), ("guest/9", "guest[others]")])
def test_a_live_group_shows_whom_it_follows(without: str, title: str) -> None:
    _, group = party(0, without=without)

    assert repr(group) == f"Group({title}: [{group[0]!r}])"


async def test_a_live_group_is_brought_to_a_size() -> None:
    membership = Membership({"guest": ("guest/0",)})

    async def resize(table: str, size: int) -> None:
        for index in range(size):
            membership.join(f"{table}/{index}")

    group = live_group("guest", membership, Guest, resize)
    others = live_group("guest", membership, Guest, resize, without="guest/0")

    await group.resize(3)
    grown = names(group)
    await others.resize(4)

    assert grown == ["guest/0", "guest/1", "guest/2"]
    assert names(others) == ["guest/1", "guest/2", "guest/3", "guest/4"]


@pytest.mark.parametrize(
    ("members", "tables"),
    [
        ([], "its table"),
        ([Guest("guest/0")], "its table"),
        ([make_ref("worker/1", None)], r"\[worker\]"),  # type: ignore[arg-type]
        ([make_ref("worker/1", None), make_ref("peer/0", None)], r"\[worker\] and \[peer\]"),  # type: ignore[arg-type]
    ],
)
async def test_a_fixed_group_says_how_it_would_be_live(members: list[Any], tables: str) -> None:
    wanted = (
        r"Group\.resize: this group is fixed; write count = \{ start = …, min = …, max = … \} in "
    )

    with pytest.raises(ValueError, match=f"{wanted}{tables}$"):
        await Group(members).resize(2)


def compressing(world: World, *tables: str) -> Presses:
    """Have what the script sends to these tables compressed; return what does it."""
    node = world.nodes["left"]
    ways = {("script", table): Way(CODECS["topk"], {"share": 0.25}) for table in tables}
    node.calls.presses = Presses(ways, SystemClock(), node.pool.take)
    return node.calls.presses


async def test_an_argument_is_encoded_once_for_each_codec_on_the_way(world: World) -> None:
    group = Group(
        [world.spawn(f"{table}/{k}", partial(Client, k)) for table in "ab" for k in (0, 1)]
    )
    presses, x = compressing(world, "b"), torch.arange(4096.0)

    await world.act(lambda: group.map(Client.note, x))
    await world.quiet()

    noted = [world.actor(name).noted[0] for name in ("a/0", "a/1", "b/0", "b/1")]
    assert [int((y != 0).sum()) for y in noted] == [4095, 4095, 1024, 1024]
    assert [key.target for key in presses.residuals] == ["b"]


async def test_what_is_sent_to_one_member_has_a_residual_of_its_own(world: World) -> None:
    group = Group([world.spawn(f"b/{k}", partial(Client, k)) for k in (0, 1)])
    presses, x = compressing(world, "b"), torch.arange(4096.0)

    async def play() -> None:
        for member in group:
            await member.note(x)
        await group.map(Client.note, x)

    await world.act(play)

    assert [key.target for key in presses.residuals] == ["b/0", "b/1", "b"]


async def test_what_a_group_is_sent_is_booked_for_each_member(world: World) -> None:
    group = Group([world.spawn(f"b/{k}", partial(Client, k)) for k in (0, 1)])
    compressing(world, "b")

    await world.act(lambda: group.map(Client.note, torch.arange(4096.0)))

    rows = dict(world.nodes["left"].switch.journal.rows())
    booked = [rows[Key("script/0", 1, f"b/{k}", 1)] for k in (0, 1)]
    assert [(row[Word.RAW], row[Word.PACKED]) for row in booked] == [(4 * 4096, 8 * 1024)] * 2
