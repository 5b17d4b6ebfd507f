"""A class's messages are its public async methods, and what is said about them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tether.actors import batched, oneway
from tether.actors.handlers import Batch, handlers


class Parent:
    async def inherited(self) -> None: ...


class Actor(Parent):
    async def ask(self) -> None: ...

    @oneway
    async def tell(self) -> None: ...

    @oneway(keep="latest")
    async def latest(self) -> None: ...

    @batched(max_size=4, max_wait=0)
    async def predict(self, items: list[int]) -> list[int | Exception]:
        return [ValueError("odd") if item % 2 else item // 2 for item in items]

    @batched(stack=True)
    async def stacked(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)

    async def run(self) -> None: ...
    async def down(self, peer: object, why: Exception) -> None: ...
    async def joined(self, peer: object) -> None: ...
    async def left(self, peer: object) -> None: ...
    async def leaving(self) -> None: ...
    async def state_dict(self) -> None: ...
    async def load_state_dict(self, state: Any) -> None: ...
    async def _private(self) -> None: ...
    def synchronous(self) -> None: ...
    @staticmethod
    async def static() -> None: ...
    @classmethod
    async def of_class(cls) -> None: ...

    attribute = 3


def test_messages_are_public_async_methods_only() -> None:
    assert set(handlers(Actor)) == {"inherited", "ask", "tell", "latest", "predict", "stacked"}


def test_a_message_says_whether_its_caller_waits() -> None:
    found = handlers(Actor)

    assert [found[name].oneway for name in ("ask", "tell", "latest")] == [False, True, True]
    assert [found[name].keep_latest for name in ("ask", "tell", "latest")] == [False, False, True]


def test_a_message_says_how_it_is_gathered() -> None:
    found = handlers(Actor)

    assert found["predict"].batch == Batch(4, 0, stack=False)
    assert found["stacked"].batch == Batch(128, 0.002, stack=True)
    assert found["ask"].batch is None


def test_a_message_is_titled_by_the_class_that_was_asked() -> None:
    assert handlers(Actor)["inherited"].title == "Actor.inherited"


async def test_a_batched_handler_called_directly_gets_a_batch_of_one() -> None:
    assert await Actor().predict(4) == 2
    assert (await Actor().stacked(torch.ones(3))).item() == 3
    with pytest.raises(ValueError, match="odd"):
        await Actor().predict(3)


def test_a_batch_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="batched: max_size is 0, but a batch holds at least one"):
        batched(max_size=0)


def test_a_batch_cannot_wait_less_than_no_time() -> None:
    with pytest.raises(ValueError, match="batched: max_wait is -1 seconds, but 0 or more is"):
        batched(max_wait=-1)
