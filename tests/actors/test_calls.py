"""What an ask and a one-way mean to who sends them: values, lends, cancels, ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from tests.actors.conftest import Make, World, until
from tether.actors import ActorGone, buffer, oneway, within
from tether.actors.buffers import lent
from tether.actors.packet import Window


@dataclass(frozen=True)
class Update:
    weights: torch.Tensor
    n: int


class Move(NamedTuple):
    step: int
    why: str


class Center:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.x = torch.zeros(20_000)
        self.given: Any = None
        self.got: list[Any] = []

    async def echo(self, value: Any) -> Any:
        return value

    async def keep(self, value: Any) -> None:
        self.given = value

    async def wait(self, value: Any = None) -> Any:
        self.given = value
        await self.open.wait()
        return value

    async def now(self) -> torch.Tensor:
        return self.x

    async def difference(self) -> torch.Tensor:
        d = buffer(20_000)
        torch.add(self.x, 1, out=d)
        self.given = d.data_ptr()
        return d

    async def double(self, update: Update, move: Move) -> Update:
        return Update(update.weights * 2, update.n + move.step)

    async def answer_a_set(self) -> Any:
        return {1}

    @oneway
    async def tell(self, value: Any) -> None:
        self.got.append(value)

    @oneway
    async def block(self, value: Any = None) -> None:
        await self.open.wait()


async def test_structure_comes_fresh_and_with_its_types(world: World) -> None:
    center = world.spawn("center/0", Center)
    value = {"a": [1, (2, "x")], 3: None, "b": [b"\0", 1.5, True, 2**80]}

    again = await center.echo(value)

    assert again == value
    assert again is not value
    assert again["a"] is not value["a"]
    assert type(again["a"][1]) is tuple


async def test_records_of_the_signature_travel_both_ways(world: World) -> None:
    center = world.spawn("center/0", Center)

    again = await center.double(Update(torch.ones(3), 4), Move(5, "x"))

    assert isinstance(again, Update)
    assert (again.weights.tolist(), again.n) == ([2, 2, 2], 9)


@pytest.mark.parametrize("size", [0, 10, 5000, 3_000_000])
async def test_tensors_and_arrays_of_any_size_travel(world: World, size: int) -> None:
    center = world.spawn("center/0", Center)
    x = torch.arange(size, dtype=torch.float32)

    tensor, array = await center.echo([x, x.numpy()])

    assert torch.equal(tensor, x)
    assert np.array_equal(array, x.numpy())


async def test_large_structure_travels(world: World) -> None:
    center = world.spawn("center/0", Center)
    value = [bytes(5_000_000), "x" * 3_000_000]

    assert await center.echo(value) == value


@pytest.mark.parametrize("where", ["echo", "tell"])
async def test_what_does_not_travel_is_refused_where_it_is_sent(world: World, where: str) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(TypeError, match=rf"Center\.{where}: a builtins\.set does not travel"):
        await getattr(center, where)({1})


async def test_an_answer_that_does_not_travel_fails_at_its_caller(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(TypeError, match=r"answer of Center.answer_a_set: a builtins.set does not"):
        await center.answer_a_set()
    assert await center.echo(1) == 1


async def test_a_record_the_signature_does_not_name_is_refused(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(ValueError, match="a Move came, but the handler's signature names no such"):
        await center.echo(Move(1, "x"))


async def test_an_answer_is_as_it_was_when_the_handler_returned(world: World) -> None:
    center = world.spawn("center/0", Center)

    answer = await center.now()
    world.actor("center/0").x += 1

    assert answer.sum() == 0


async def test_an_answer_belongs_to_the_caller(world: World) -> None:
    center = world.spawn("center/0", Center)

    answer = await center.now()
    answer += 1

    assert world.actor("center/0").x.sum() == 0


async def test_an_answer_in_a_buffer_of_its_handler_is_not_copied(world: World) -> None:
    center = world.spawn("center/0", Center)

    answer = await center.difference()

    assert answer.sum() == 20_000
    if world.one_process:
        assert answer.data_ptr() == world.actor("center/0").given


async def test_a_lent_tensor_is_not_copied_and_any_other_is(memory: World) -> None:
    center = memory.spawn("center/0", Center)

    async def play() -> list[bool]:
        own, theirs = buffer(20_000).zero_(), torch.zeros(20_000)
        same = []
        for tensor in (own, theirs):
            await center.keep(tensor)
            same.append(memory.actor("center/0").given.data_ptr() == tensor.data_ptr())
        return same

    assert await memory.act(play) == [True, False]


async def test_a_one_way_copies_so_that_its_sender_may_write_at_once(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        x = buffer(20_000).fill_(1)
        for step in range(5):
            await center.tell(x)
            assert not lent(x)
            x.fill_(step + 2)

    await world.act(play)
    await world.quiet()

    assert [x.mean().item() for x in world.actor("center/0").got] == [1, 2, 3, 4, 5]


async def test_memory_stays_lent_until_the_handler_has_returned(world: World) -> None:
    center = world.spawn("center/0", Center)
    actor = world.actor("center/0")

    async def play() -> list[bool]:
        x = buffer(20_000).fill_(1)
        said = [lent(x)]
        exchange = asyncio.ensure_future(center.wait(x))
        await until(lambda: actor.given is not None)
        said.append(lent(x))
        actor.open.set()
        await exchange
        return [*said, lent(x)]

    assert await world.act(play) == [False, True, False]


async def test_memory_stays_lent_when_the_await_is_cancelled_after_the_start(world: World) -> None:
    center = world.spawn("center/0", Center)
    actor = world.actor("center/0")

    async def play() -> bool:
        x = buffer(20_000).fill_(1)
        exchange = asyncio.ensure_future(center.wait(x))
        await until(lambda: actor.given is not None)
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange
        still = lent(x)
        assert actor.given.sum() == 20_000
        actor.open.set()
        await until(lambda: not lent(x))
        return still

    assert await world.act(play)
    await world.quiet()
    books = world.books("script/0", "center/0")
    assert (books["handled"], books["dropped"], books["late"]) == (1, {}, 1)


async def test_a_call_cancelled_before_its_start_is_dropped_and_its_lend_ends(
    world: World,
) -> None:
    center = world.spawn("center/0", Center)
    actor = world.actor("center/0")

    async def play() -> None:
        x = buffer(20_000).fill_(1)
        first = asyncio.ensure_future(center.wait())
        second = asyncio.ensure_future(center.keep(x))
        await until(lambda: world.cell("center/0").mailbox)
        second.cancel()
        await until(lambda: not lent(x))
        actor.open.set()
        await first

    await world.act(play)
    await world.quiet()

    assert actor.given is None
    assert world.books("script/0", "center/0")["dropped"] == {"cancelled": 1}


async def test_a_call_cancelled_before_it_left_never_leaves(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        x = buffer(20_000).fill_(1)
        call = asyncio.ensure_future(center.keep(x))
        await asyncio.sleep(0)
        call.cancel()
        await until(call.done)
        await until(lambda: not lent(x))

    await world.act(play)
    await world.quiet()

    books = world.books("script/0", "center/0")
    assert books["sent"] == 1
    assert books["handled"] + sum(books["dropped"].values()) == 1


async def test_a_plain_timeout_ends_an_ask_too(world: World) -> None:
    center = world.spawn("center/0", Center)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await center.wait()
    world.actor("center/0").open.set()

    assert await center.echo(1) == 1


async def test_a_sender_waits_while_its_receiver_is_full(make_world: Make) -> None:
    world = await make_world(Window(messages=3))
    center = world.spawn("center/0", Center)
    sent: list[int] = []

    async def play() -> None:
        for number in range(10):
            await center.block(number)
            sent.append(number)

    world.start(play)
    cell = world.cell("center/0")
    await until(lambda: cell.current is not None and len(cell.mailbox) == 2)
    while_full = list(sent)
    world.actor("center/0").open.set()
    await world.end()
    await world.quiet()

    assert while_full == [0, 1, 2]
    assert world.books("script/0", "center/0")["handled"] == 10


async def test_bytes_are_bounded_and_one_larger_is_admitted_alone(make_world: Make) -> None:
    world = await make_world(Window(bytes=100_000))
    center = world.spawn("center/0", Center)
    sizes = [30_000, 30_000, 30_000, 500_000, 10]
    sent: list[int] = []
    actor, cell = world.actor("center/0"), world.cell("center/0")

    async def play() -> None:
        await center.block()
        for size in sizes:
            await center.tell(bytes(size))
            sent.append(size)

    world.start(play)
    await until(lambda: cell.current is not None and len(cell.mailbox) == 3)
    while_full = list(sent)
    actor.open.set()
    await world.end()
    await world.quiet()

    assert while_full == sizes[:3]
    assert [len(value) for value in actor.got] == sizes


async def test_a_one_way_that_waits_for_room_can_be_given_up(make_world: Make) -> None:
    world = await make_world(Window(messages=1))
    center = world.spawn("center/0", Center)

    async def play() -> None:
        await center.block()
        async with within(0.01):
            await center.tell("never")

    with pytest.raises(TimeoutError):
        await world.act(play)
    world.actor("center/0").open.set()
    await world.quiet()

    assert world.books("script/0", "center/0")["dropped"] == {"cancelled": 1}
    assert world.actor("center/0").got == []


async def test_order_is_kept_among_asks_and_one_ways_of_all_sizes(world: World) -> None:
    center = world.spawn("center/0", Center)
    sizes = [1, 3_000_000, 2, 20_000, 5, 2_500_000, 1, 100_000, 3]
    numbers = range(len(sizes))

    async def play() -> None:
        for number in numbers:
            await center.tell((number, torch.full((sizes[number],), float(number))))
        asks = [
            center.tell((10 + n, torch.full((sizes[n],), float(n)))) if n % 2 else
            center.echo(torch.full((sizes[n],), float(n)))
            for n in numbers
        ]  # fmt: skip
        await asyncio.gather(*asks)

    await world.act(play)
    await world.quiet()

    got = world.actor("center/0").got
    assert [number for number, _ in got] == [*numbers, *(10 + n for n in numbers if n % 2)]
    assert all((x == number % 10).all() for number, x in got)
    assert [len(x) for _, x in got[: len(sizes)]] == sizes


async def test_the_accounts_close(world: World) -> None:
    center = world.spawn("center/0", Center)

    async def play() -> None:
        for number in range(200):
            await (center.tell(number) if number % 3 else center.echo(number))

    await world.act(play)
    await world.quiet()

    for node in world.each:
        for books in node.accounts():
            assert books["in_flight"] == books["unknown"] == 0
            assert books["sent"] == books["handled"] + sum(books["dropped"].values())
    assert world.books("script/0", "center/0")["sent"] == 200


async def test_asks_of_one_who_is_gone_fail_and_later_ones_at_once(world: World) -> None:
    center = world.spawn("center/0", Center)
    node = world.nodes["left"]

    async def play() -> list[str]:
        x = buffer(20_000)
        asks = [asyncio.ensure_future(center.wait(x)) for _ in range(3)]
        await until(lambda: world.cell("center/0").current)
        node.down("center/0", "killed by signal 9", final=True)
        said = await asyncio.gather(*asks, center.tell(1), return_exceptions=True)
        assert not lent(x)
        assert all(isinstance(error, ActorGone) for error in said)
        return [str(error) for error in said]

    said = await world.act(play)

    unknown = "center/0 is gone: killed by signal 9; what became of Center.wait is unknown"
    assert said == [unknown] * 3 + ["center/0 is gone: killed by signal 9"]
    books = world.books("script/0", "center/0")
    assert (books["sent"], books["unknown"], books["in_flight"]) == (3, 3, 0)
    assert len(node.calls) == 0


async def test_a_one_way_that_waits_for_room_is_told_that_its_receiver_is_gone(
    make_world: Make,
) -> None:
    world = await make_world(Window(messages=1))
    center = world.spawn("center/0", Center)
    waiting = asyncio.Event()

    async def play() -> None:
        await center.block()
        waiting.set()
        await center.tell(1)

    world.start(play)
    await waiting.wait()
    await until(lambda: len(world.nodes["left"].calls))
    world.nodes["left"].down("center/0", "its host is lost", final=True)

    with pytest.raises(ActorGone, match="center/0 is gone: its host is lost"):
        await world.end()
    books = world.books("script/0", "center/0")
    assert (books["unknown"], books["dropped"], books["in_flight"]) == (1, {"absent": 1}, 0)


async def test_asks_from_outside_any_actor_are_answered(world: World) -> None:
    center = world.spawn("center/0", Center)

    assert await asyncio.gather(*(center.echo(n) for n in range(100))) == list(range(100))
