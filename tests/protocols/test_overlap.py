import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tether.actors import ActorGone
from tether.protocols.overlap import Posting, Waiting, both, each, period, unless_gone
from tether.runners import virtual


async def answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def failure(text: str) -> int:
    await asyncio.sleep(0)
    raise ValueError(text)


async def test_both_results_come_in_order() -> None:
    assert await both(answer(1), answer(2)) == (1, 2)


async def test_a_failure_is_raised_as_itself_and_the_other_has_ended() -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ValueError, match="no center"):
        await both(failure("no center"), endless())

    assert ended.is_set()


async def test_two_failures_come_as_a_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await both(failure("one"), failure("two"))

    assert [str(each) for each in caught.value.exceptions] == ["one", "two"]


async def test_cancelling_it_cancels_both_and_leaves_no_task() -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(both(endless(), endless()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(("tau", "name"), [(0, "tau"), (-3, "H")])
def test_a_period_of_less_than_a_step_is_told_by_its_name(tau: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is {tau}, but a period of 1 step or more"):
        period(tau, name)


async def after(seconds: float, value: int) -> int:
    await asyncio.sleep(seconds)
    return value


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return virtual.run(main)


def test_all_of_what_is_awaited_alone_is_waiting() -> None:
    waiting = Waiting()

    async def main() -> list[int]:
        return [await waiting.on(after(2.0, 7)), await waiting.on(after(0.5, 8))]

    assert run(main()) == [7, 8]
    assert waiting.seconds == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("exchange", "work", "waited"), [(3.0, 1.0, 2.0), (1.0, 3.0, 0.0), (1.0, 1.0, 0.0)]
)
def test_beside_work_only_what_is_longer_than_it_is_waiting(
    exchange: float, work: float, waited: float
) -> None:
    waiting = Waiting()

    async def main() -> tuple[int, int]:
        return await waiting.both(after(exchange, 1), after(work, 2))

    assert run(main()) == (1, 2)
    assert waiting.seconds == pytest.approx(waited)


def test_what_fails_was_waited_for_too() -> None:
    waiting = Waiting()

    async def main() -> None:
        async with asyncio.timeout(4.0):
            await waiting.on(after(9.0, 0))

    with pytest.raises(TimeoutError):
        run(main())
    assert waiting.seconds == pytest.approx(4.0)


async def asked(value: int) -> int:
    """Answer sooner the larger the value is; fail below 0."""
    for _ in range(5 - value):
        await asyncio.sleep(0)
    if value < 0:
        raise ValueError("no number of mine")
    return 10 * value


async def test_each_answers_in_order_whoever_comes_first() -> None:
    assert await each([1, 3, 2], asked) == [10, 30, 20]


async def test_a_failure_of_one_ends_the_rest_and_is_raised_as_itself() -> None:
    with pytest.raises(ValueError, match="no number of mine"):
        await each([1, -1], asked)
    with pytest.raises(ExceptionGroup):
        await each([-1, -1], asked)

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def refused() -> int:
    raise ActorGone("worker/0 is gone: it was given up")


async def test_who_is_gone_answers_nothing() -> None:
    assert await unless_gone(asked(2)) == 20
    assert await unless_gone(refused()) is None
    with pytest.raises(ValueError, match="no number of mine"):
        await unless_gone(asked(-1))


class Peer:
    """Takes messages in only while its door is open."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.door = asyncio.Event()

    async def hear(self, x: int) -> None:
        await self.door.wait()
        if x < 0:
            raise ActorGone("peer/0 was killed")
        self.seen.append(x)


async def test_nothing_is_sent_to_whoever_is_still_at_the_last_message() -> None:
    full, free = Peer(), Peer()
    free.door.set()

    async with Posting() as post:
        for x in (1, 2):
            post.send(full, Peer.hear, x)
            post.send(free, Peer.hear, x)
            await asyncio.sleep(0)
        full.door.set()
        await asyncio.sleep(0)
        post.send(full, Peer.hear, 3)

    assert (full.seen, free.seen) == ([1, 3], [1, 2])


async def test_who_is_gone_for_good_is_passed_over() -> None:
    peer = Peer()
    peer.door.set()

    async with Posting() as post:
        post.send(peer, Peer.hear, -1)

    assert peer.seen == []


def test_the_time_between_a_pause_and_going_on_is_waiting() -> None:
    async def main() -> list[float]:
        waiting, found = Waiting(), []
        for pause in (2.0, 3.0):
            waiting.resume()
            await asyncio.sleep(1.0)
            found.append(waiting.pause())
            await asyncio.sleep(pause)
        waiting.resume()
        return [*found, waiting.seconds]

    assert virtual.run(main()) == [0.0, 2.0, 5.0]
