"""Part of a group's answers: enough of them, in time, and what became of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from tether.actors.asking import Asked, ask_each, cancel_all, failure
from tether.actors.context import acting
from tether.actors.errors import QuorumMissed

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
Late = Callable[[Any], Awaitable[None]]


class Answers(list[R]):
    """Answers in member order, with `members` who gave them and `missing` why others did not."""

    def __init__(self, answers: list[R], members: list[Any], missing: dict[Any, str]) -> None:
        super().__init__(answers)
        self.members = members
        self.missing = missing


class Quorum(Generic[T]):
    """A view of a group for which `size` answers are enough."""

    def __init__(
        self,
        members: Callable[[], tuple[T, ...]],
        size: int,
        within: float | None,
        late: Late | None,
    ) -> None:
        self._members = members
        self._size = size
        self._within = within
        self._late = late

    async def map(
        self,
        message: Callable[Concatenate[T, P], Awaitable[R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answers[R]:
        """Ask all, return when enough have answered; raise QuorumMissed when they cannot."""
        members = self._members()
        asked = ask_each(members, message, args, kwargs)
        try:
            await self._enough(asked)
            answers = self._answers(members, asked)
        except BaseException:
            cancel_all(asked)
            raise
        self._leave(members, asked, answers)
        if len(answers) < self._size:
            title = f"Group.first({self._size}).map({message.__qualname__})"
            raise QuorumMissed(
                f"{title}: {len(answers)} of {len(asked)} answered"
                + ("" if self._within is None else f" within {self._within:g} s"),
                answers,
                answers.members,
                answers.missing,
            )
        return answers

    async def _enough(self, asked: Asked) -> None:
        """Wait until the quorum stands, cannot be reached any more, or its time is over."""
        loop = asyncio.get_running_loop()
        end = None if self._within is None else loop.time() + self._within
        open_calls = set(asked)
        while open_calls and sum(map(_answered, asked)) < self._size:
            if sum(map(_answered, asked)) + len(open_calls) < self._size:
                return
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                return
            _, open_calls = await asyncio.wait(
                open_calls, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )

    def _answers(self, asked_of: tuple[T, ...], asked: Asked) -> Answers[Any]:
        """Sort what has come: at most `size` answers are the quorum's, in member order."""
        answers: list[Any] = []
        members: list[Any] = []
        missing: dict[Any, str] = {}
        for member, call in zip(asked_of, asked, strict=True):
            if _answered(call) and len(answers) < self._size:
                answers.append(call.result())
                members.append(member)
            else:
                error = failure(call)
                missing[member] = "late" if error is None else f"{type(error).__name__}: {error}"
        return Answers(answers, members, missing)

    def _leave(self, asked_of: tuple[T, ...], asked: Asked, answers: Answers[Any]) -> None:
        """Hand what is still under way to `late`, or cancel it."""
        if self._late is None:
            cancel_all(asked)
            return
        deliver = _deliverer(self._late)
        for member, call in zip(asked_of, asked, strict=True):
            if member in answers.missing:
                call.add_done_callback(deliver)


def _answered(call: asyncio.Future[Any]) -> bool:
    return call.done() and not call.cancelled() and call.exception() is None


def _deliverer(late: Late) -> Callable[[asyncio.Future[Any]], None]:
    """Return what brings a late answer to the asker, as one of its messages."""
    here = acting.get()

    def deliver(call: asyncio.Future[Any]) -> None:
        if not _answered(call):
            return
        if here is not None:
            here.cell.post(late, call.result())
        else:
            task = asyncio.ensure_future(late(call.result()))
            _LATE_TASKS.add(task)
            task.add_done_callback(_LATE_TASKS.discard)

    return deliver


_LATE_TASKS: set[asyncio.Future[None]] = set()
