"""Many actors of one kind, asked like `map(str.upper, words)`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from tether.actors.asking import ask_each, cancel_all, collected
from tether.actors.chance import chance
from tether.actors.membership import Live, Membership, Resize, table_of
from tether.actors.quorum import Quorum
from tether.actors.ref import is_ref, name_of

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Group(Generic[T]):
    """An ordered set of actors; a message is encoded once for all of them.

    Members are handles, or plain objects when no framework runs. A group of a table whose `count`
    has bounds is live: each use is of those who are there at the time, all through a call. Its
    slices and samples stay as they were drawn.
    """

    __slots__ = ("_fixed", "_live")

    def __init__(self, members: Sequence[T] = ()) -> None:
        self._fixed = tuple(members)
        self._live: Live | None = None

    @property
    def _members(self) -> tuple[T, ...]:
        """All of one moment: whatever takes more than one look has to keep it."""
        return self._fixed if self._live is None else self._live.members

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
        # A live group has to be found again in a dict after its members have changed.
        return hash(self._fixed if self._live is None else (self._live.table, self._live.without))

    def __repr__(self) -> str:
        table = "" if self._live is None else f"{self._live}: "
        return f"Group({table}{list(self._members)})"

    def random(self) -> T:
        """Draw one member, each with the same chance, from the acting actor's own generator."""
        members = self._members
        if not members:
            raise IndexError("Group.random: the group is empty, so there is nobody to draw")
        return chance().choice(members)

    def sample(self, size: int) -> Group[T]:
        """Draw `size` different members, in random order."""
        members = self._members
        if not 0 <= size <= len(members):
            raise ValueError(f"Group.sample: {size} of {len(members)} members cannot be drawn")
        return Group(chance().sample(members, size))

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

        A view of a live group asks those who are there at each `map`.

        What comes later is handed to `late` in the asker, as a message; without `late` it is
        cancelled where it has not started, and dropped.
        """
        members = self._members
        if not 1 <= size <= len(members):
            raise ValueError(f"Group.first: {size} of {len(members)} members cannot answer")
        return Quorum(lambda: self._members, size, within, late)

    async def resize(self, n: int) -> None:
        """Have `n` members, and return when they are there; the highest indices leave first.

        Whoever leaves does so at a step, its mailbox emptied and its state kept. Oneself is not
        counted in a group of the others. Raises ValueError outside the bounds in the wiring.
        """
        if self._live is None:
            raise ValueError(
                "Group.resize: this group is fixed; write count = { start = …, min = …, max = … } "
                f"in {_tables(self._fixed)}"
            )
        await self._live.bring_to(n)


def live_group(
    table: str,
    membership: Membership,
    ref: Callable[[str], Any],
    resize: Resize,
    without: str = "",
) -> Group[Any]:
    """Return a group of those present in a table but for `without`, with handles made by `ref`."""
    group: Group[Any] = Group()
    group._live = Live(table, membership, ref, resize, without)
    return group


def live_of(group: Group[Any]) -> tuple[str, str] | None:
    """Return the table a live group follows and who is left out; None for a fixed one."""
    return None if group._live is None else (group._live.table, group._live.without)


def _tables(members: Sequence[Any]) -> str:
    """Return how the tables of members are called, as far as they are known."""
    tables = dict.fromkeys(table_of(name_of(member)) for member in members if is_ref(member))
    return " and ".join(f"[{table}]" for table in tables) or "its table"
