"""Many actors of one kind, asked like `map(str.upper, words)`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from tether.actors.asking import ask_each, cancel_all, collected
from tether.actors.chance import chance
from tether.actors.quorum import Quorum

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Group(Generic[T]):
    """An ordered set of actors; a message is encoded once for all of them.

    Members are handles, or plain objects when no framework runs.
    """

    __slots__ = ("_members",)

    def __init__(self, members: Sequence[T] = ()) -> None:
        self._members = tuple(members)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[T]:
        return iter(self._members)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Group[T]: ...
    def __getitem__(self, index: int | slice) -> T | Group[T]:
        chosen = self._members[index]
        return Group(chosen) if isinstance(chosen, tuple) else chosen

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def __eq__(self, other: object) -> bool:
        return self._members == other._members if isinstance(other, Group) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._members)

    def __repr__(self) -> str:
        return f"Group({list(self._members)})"

    def random(self) -> T:
        """Draw one member, each with the same chance, from the acting actor's own generator."""
        if not self._members:
            raise IndexError("Group.random: the group is empty, so there is nobody to draw")
        return chance().choice(self._members)

    def sample(self, size: int) -> Group[T]:
        """Draw `size` different members, in random order."""
        if not 0 <= size <= len(self._members):
            raise ValueError(
                f"Group.sample: {size} of {len(self._members)} members cannot be drawn"
            )
        return Group(chance().sample(self._members, size))

    async def map(
        self,
        message: Callable[Concatenate[T, P], Awaitable[R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> list[R]:
        """Ask all and wait for all; answers come in member order.

        The first failure cancels the rest and is raised in an ExceptionGroup.
        """
        asked = ask_each(self._members, message, args, kwargs)
        return await collected(f"Group.map({message.__qualname__})", asked)

    async def stream(
        self,
        message: Callable[Concatenate[T, P], Awaitable[R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncIterator[R]:
        """Ask all and yield the answers as they come; leaving the loop early cancels the rest.

        So does the first failure, which is raised in an ExceptionGroup.
        """
        asked = ask_each(self._members, message, args, kwargs)
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    value = await answer
                except Exception as error:
                    title = f"Group.stream({message.__qualname__})"
                    raise ExceptionGroup(f"{title}: a member failed", [error]) from None
                yield value
        finally:
            cancel_all(asked)

    def first(
        self,
        size: int,
        *,
        within: float | None = None,
        late: Callable[[Any], Awaitable[None]] | None = None,
    ) -> Quorum[T]:
        """Return a view whose `map` is content with `size` answers, given in `within` seconds.

        What comes later is handed to `late` in the asker, as a message; without `late` it is
        cancelled where it has not started, and dropped.
        """
        if not 1 <= size <= len(self._members):
            raise ValueError(f"Group.first: {size} of {len(self._members)} members cannot answer")
        return Quorum(self._members, size, within, late)
