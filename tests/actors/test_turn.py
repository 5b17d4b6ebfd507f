"""A batch gathers the calls that wait, and every caller gets what is its own."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest
import torch

from tests.actors.conftest import World, in_virtual_time, memory_world, until
from tether.actors import batched, oneway, within
from tether.actors.context import acting


class Predictor:
    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.batches: list[int] = []
        self.order: list[Any] = []
        self.memory: set[int] = set()
        self.made: list[weakref.ref[torch.Tensor]] = []

    async def turn(self, fails: bool) -> tuple[str, int]:
        """Return what it acts as: its chain ends in its own turn."""
        here = acting.get()
        assert here is not None
        if fails:
            raise KeyError("as asked")
        return here.chain[-1]

    async def make(self, value: float) -> torch.Tensor:
        """Return a tensor, and note how many of those made before are still there."""
        self.order.append(sum(made() is not None for made in self.made))
        x = torch.full((100_000,), value)
        self.made.append(weakref.ref(x))
        return x

    async def block(self) -> None:
        await self.open.wait()

    @batched(max_size=4, max_wait=0)
    async def predict(self, states: list[int]) -> list[int]:
        self.batches.append(len(states))
        self.order += states
        return [state * 10 for state in states]

    @batched(max_size=4, max_wait=0)
    async def some_fail(self, states: list[int]) -> list[int | Exception]:
        return [ValueError(f"{state} is odd") if state % 2 else state for state in states]

    @batched(max_size=4, max_wait=0)
    async def too_few(self, states: list[int]) -> list[int]:
        return states[1:]

    @batched(max_size=4, max_wait=0)
    async def all_fail(self, states: list[int]) -> list[int]:
        raise KeyError("no weights")

    @batched(max_size=4, max_wait=0)
    async def cancelled(self, states: list[int]) -> list[int]:
        raise asyncio.CancelledError

    @batched(max_size=4, max_wait=0)
    async def sets(self, states: list[int]) -> list[Any]:
        return [{state} if state == 1 else state for state in states]

    @batched(max_size=4, max_wait=0, stack=True)
    async def double(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(x))
        self.memory.add(x.data_ptr())
        return x * 2

    @batched(max_size=4, max_wait=0.002)
    async def patient(self, states: list[int]) -> list[int]:
        self.batches.append(len(states))
        return states

    @batched(max_size=4, max_wait=0)
    async def callers(self, states: list[int]) -> list[list[str]]:
        here = acting.get()
        assert here is not None
        return [[name for name, _ in here.chain] for _ in states]

    @oneway  # type: ignore[type-var]  # a checker refuses an answer that nobody gets
    @batched(max_size=4, max_wait=0, stack=True)
    async def see(self, x: torch.Tensor) -> torch.Tensor:
        self.order += x.tolist()
        return x

    @oneway
    async def note(self, value: Any) -> None:
        self.order.append(value)


async def gathered(world: World, *calls: Any) -> list[Any]:
    """Make calls while the predictor is blocked, and return their answers or errors."""
    predictor, actor = world.ref("predictor/0"), world.actor("predictor/0")
    cell = world.cell("predictor/0")
    actor.open.clear()
    blocked = asyncio.ensure_future(predictor.block())
    await until(lambda: cell.current is not None)
    asked = [asyncio.ensure_future(call) for call in calls]
    await until(lambda: len(cell.mailbox) == len(calls))
    actor.open.set()
    await blocked
    return await asyncio.gather(*asked, return_exceptions=True)


@pytest.fixture
async def predictor(world: World) -> Any:
    return world.spawn("predictor/0", Predictor)


async def test_what_waits_is_handled_at_once_but_no_more_than_the_limit(
    world: World, predictor: Any
) -> None:
    answers = await gathered(world, *(predictor.predict(n) for n in range(10)))

    assert answers == [n * 10 for n in range(10)]
    assert world.actor("predictor/0").batches == [4, 4, 2]


async def test_without_company_a_batch_that_does_not_wait_is_of_one(
    world: World, predictor: Any
) -> None:
    assert await predictor.predict(state=3) == 30
    assert world.actor("predictor/0").batches == [1]


async def test_a_batch_passes_no_other_message_of_its_sender(world: World, predictor: Any) -> None:
    await gathered(
        world, predictor.predict(0), predictor.note("a"), predictor.predict(1), predictor.predict(2)
    )
    await world.quiet()

    assert world.actor("predictor/0").order == [0, "a", 1, 2]
    assert world.actor("predictor/0").batches == [1, 2]


async def test_an_exception_among_the_answers_is_that_callers(world: World, predictor: Any) -> None:
    answers = await gathered(world, *(predictor.some_fail(n) for n in range(3)))

    assert (answers[0], answers[2]) == (0, 2)
    assert isinstance(answers[1], ValueError)
    assert str(answers[1]) == "1 is odd"


async def test_an_answer_that_does_not_travel_is_that_callers(world: World, predictor: Any) -> None:
    answers = await gathered(world, *(predictor.sets(n) for n in range(3)))

    assert (answers[0], answers[2]) == (0, 2)
    assert isinstance(answers[1], TypeError)
    assert "the answer of Predictor.sets: a builtins.set does not travel" in str(answers[1])


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("all_fail", "'no weights'"),
        ("too_few", "Predictor.too_few was given 3 calls, but answered 2"),
        ("cancelled", "asyncio.exceptions.CancelledError: "),
    ],
)
async def test_a_batch_that_fails_fails_for_all_of_its_callers_and_only_them(
    world: World, predictor: Any, message: str, text: str
) -> None:
    answers = await gathered(world, *(getattr(predictor, message)(n) for n in range(3)))

    assert [str(error) for error in answers] == [text] * 3
    assert await predictor.predict(1) == 10


async def test_a_call_without_its_one_argument_fails_alone(world: World, predictor: Any) -> None:
    answers = await gathered(world, predictor.predict(1), predictor.predict(), predictor.predict(2))

    assert (answers[0], answers[2]) == (10, 20)
    text = "Predictor.predict is batched, so a call has one argument, not 0"
    assert str(answers[1]) == text


async def test_tensors_are_stacked_in_memory_that_is_kept(world: World, predictor: Any) -> None:
    states = [torch.full((3,), float(n)) for n in range(6)]

    answers = await gathered(world, *(predictor.double(state) for state in states))

    assert [answer.tolist() for answer in answers] == [[2.0 * n] * 3 for n in range(6)]
    assert world.actor("predictor/0").batches == [4, 2]
    assert len(world.actor("predictor/0").memory) == 1


async def test_tensors_of_another_shape_get_another_stack(world: World, predictor: Any) -> None:
    first = await predictor.double(torch.ones(3))
    second = await predictor.double(torch.ones(2, dtype=torch.float64))

    assert (first.tolist(), second.tolist()) == ([2, 2, 2], [2, 2])


async def test_tensors_that_cannot_be_stacked_fail_and_the_actor_lives_on(
    world: World, predictor: Any
) -> None:
    answers = await gathered(
        world, predictor.double(torch.ones(3)), predictor.double(torch.ones(2))
    )

    assert all("stack expects each tensor to be equal size" in str(error) for error in answers)
    assert await predictor.predict(1) == 10


async def test_a_batch_acts_on_behalf_of_its_first_caller(world: World, predictor: Any) -> None:
    assert await predictor.callers(1) == ["predictor/0"]


def test_a_patient_batch_waits_for_company_so_long_and_no_longer() -> None:
    async def main() -> tuple[list[int], float]:
        world = memory_world()
        predictor = world.spawn("predictor/0", Predictor)
        loop = asyncio.get_running_loop()

        async def later(seconds: float) -> float:
            await asyncio.sleep(seconds)
            await predictor.patient(0)
            return loop.time()

        ends = await asyncio.gather(later(0), later(0.0015), later(0.004))
        batches: list[int] = world.actor("predictor/0").batches
        await world.close()
        return batches, ends[0]

    batches, first_end = in_virtual_time(main())

    assert batches == [2, 1]
    assert first_end == pytest.approx(0.002)


def test_a_full_batch_does_not_wait() -> None:
    async def main() -> float:
        world = memory_world()
        predictor = world.spawn("predictor/0", Predictor)
        await asyncio.gather(*(predictor.patient(n) for n in range(4)))
        now = asyncio.get_running_loop().time()
        await world.close()
        return now

    assert in_virtual_time(main()) == 0


def test_a_batch_leaves_out_a_call_whose_time_was_over_before_it_began() -> None:
    async def main() -> tuple[tuple[Any, Any], list[int]]:
        world = memory_world()
        predictor = world.spawn("predictor/0", Predictor)

        async def hurried() -> int:
            async with within(0.001):
                return int(await predictor.patient(2))

        answers = await asyncio.gather(predictor.patient(1), hurried(), return_exceptions=True)
        batches = list(world.actor("predictor/0").batches)
        await world.close()
        return (answers[0], answers[1]), batches

    (first, second), batches = in_virtual_time(main())

    assert first == 1
    assert isinstance(second, TimeoutError)
    assert batches == [1]


async def test_rows_of_what_nobody_asked_for_answer_nobody(world: World) -> None:
    predictor = world.spawn("predictor/0", Predictor)

    async def play() -> None:
        for number in range(6):
            await predictor.see(torch.tensor(float(number)))

    await world.act(play)
    await world.quiet()

    assert world.actor("predictor/0").order == [0, 1, 2, 3, 4, 5]
    books = world.books("script/0", "predictor/0")
    assert (books["handled"], books["late"]) == (6, 0)


async def test_calls_that_are_handled_in_a_row_have_a_turn_each_and_fail_alone(
    world: World, predictor: Any
) -> None:
    answers = await gathered(world, *(predictor.turn(k == 1) for k in range(4)))

    name, first = answers[0]
    assert (name, str(answers[1]).strip("'")) == ("predictor/0", "as asked")
    assert [turn - first for _, turn in (answers[2], answers[3])] == [2, 3]


async def test_what_a_handler_gave_is_not_kept_while_the_next_call_is_handled(
    world: World, predictor: Any
) -> None:
    await gathered(world, *(predictor.make(k) for k in range(3)))

    assert world.actor("predictor/0").order == [0, 0, 0]


def test_a_call_whose_time_is_over_is_passed_over_among_those_in_a_row() -> None:
    async def play() -> tuple[list[Any], list[Any]]:
        world = memory_world()
        predictor = world.spawn("predictor/0", Predictor)

        async def late() -> None:
            async with within(0.5):
                await predictor.note(2)

        async def hold() -> None:
            await asyncio.sleep(1)
            world.actor("predictor/0").open.set()

        blocked = asyncio.ensure_future(predictor.block())
        await until(lambda: world.cell("predictor/0").current is not None)
        await predictor.note(1)
        await late()
        await predictor.note(3)
        await hold()
        await blocked
        await world.quiet()
        found = world.actor("predictor/0").order
        books = [entry["dropped"] for node in world.each for entry in node.accounts()]
        await world.close()
        return found, [dropped for dropped in books if dropped]

    assert in_virtual_time(play()) == ([1, 3], [{"expired": 1}])
