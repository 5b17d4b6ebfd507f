import asyncio

import pytest

from tether.protocols.overlap import both


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
