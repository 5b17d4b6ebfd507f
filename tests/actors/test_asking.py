"""Asking each: one call a member, cancelled together, their failures never lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.actors.conftest import World
from tether.actors.asking import ask_each, cancel_all, collected, failure


class Client:
    async def update(self, w: int) -> int:
        if w < 0:
            raise ValueError("w is negative")
        return w + 1


def done(value: Any = None, error: BaseException | None = None) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
    return future


async def test_handles_and_plain_objects_are_asked_alike(world: World) -> None:
    members = [world.spawn("client/0", Client), Client(), world.spawn("client/1", Client)]

    asked = ask_each(members, Client.update, (1,), {})

    assert await collected("here", asked) == [2, 2, 2]


async def test_all_failures_there_are_are_raised() -> None:
    asked = ask_each([Client(), Client()], Client.update, (-1,), {})

    with pytest.raises(ExceptionGroup, match=r"here: 2 of 2 failed") as caught:
        await collected("here", asked)

    assert [str(error) for error in caught.value.exceptions] == ["w is negative"] * 2


async def test_a_call_cancelled_by_another_is_a_failure() -> None:
    call: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    call.cancel()

    with pytest.raises(ExceptionGroup, match="here: 1 of 2 failed") as caught:
        await collected("here", [done(1), call])

    assert str(caught.value.exceptions[0]) == "the call was cancelled by another hand"


async def test_a_failure_is_told_from_an_answer_and_from_waiting() -> None:
    waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    error = KeyError("x")

    assert [failure(call) for call in (waiting, done(1), done(error=error))] == [None, None, error]


async def test_what_is_no_ordinary_failure_is_raised_at_once() -> None:
    class Stop(BaseException):
        pass

    with pytest.raises(Stop):
        failure(done(error=Stop()))


async def test_cancelling_all_leaves_answers_as_they_are() -> None:
    waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    answer = done(1)

    cancel_all([waiting, answer, done(error=KeyError("x"))])

    assert waiting.cancelled()
    assert answer.result() == 1


async def test_where_one_cannot_be_asked_those_before_it_are_cancelled() -> None:
    started = asyncio.Event()
    ended = asyncio.Event()

    class Slow(Client):
        async def update(self, w: int) -> int:
            started.set()
            await ended.wait()
            return w

    members = [Slow(), object()]

    with pytest.raises(AttributeError, match="no attribute 'update'"):
        ask_each(members, Client.update, (1,), {})
    ended.set()
    await asyncio.gather(Client().update(1))

    assert not started.is_set()
