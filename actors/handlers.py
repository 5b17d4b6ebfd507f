"""What a class says about the messages it handles."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
F = TypeVar("F", bound=Callable[..., Awaitable[None]])

RUNTIME_METHODS = frozenset(
    {"run", "down", "joined", "left", "leaving", "state_dict", "load_state_dict"}
)
"""Methods the runtime calls itself: never messages, whatever their signature."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How calls are gathered: at most `max_size`, for at most `max_wait` seconds."""

    max_size: int
    max_wait: float
    stack: bool


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """One message of a class: its name, and whether callers wait for its handling."""

    name: str
    owner: type
    function: Callable[..., Awaitable[Any]]
    oneway: bool = False
    keep_latest: bool = False
    batch: Batch | None = None

    @property
    def title(self) -> str:
        """The message as people write it: `Center.exchange`."""
        return f"{self.owner.__name__}.{self.name}"


@overload
def oneway(handler: F) -> F: ...
@overload
def oneway(*, keep: Literal["latest"]) -> Callable[[F], F]: ...
def oneway(
    handler: F | None = None, *, keep: Literal["latest"] | None = None
) -> F | Callable[[F], F]:
    """Let callers go on as soon as the message is handed over; they wait only while it is full.

    With `keep="latest"` a newer message of the same sender replaces the one still queued and takes
    its own, later place; the older one is counted as dropped (superseded).
    """

    def mark(handler: F) -> F:
        vars(handler)["tether_oneway"] = keep or "all"
        return handler

    return mark if handler is None else mark(handler)


@overload
def batched(
    max_size: int = 128, max_wait: float = 0.002, *, stack: Literal[False] = False
) -> Callable[
    [Callable[[T, list[A]], Awaitable[Sequence[B | Exception]]]], Callable[[T, A], Awaitable[B]]
]: ...
@overload
def batched(
    max_size: int = 128, max_wait: float = 0.002, *, stack: Literal[True]
) -> Callable[
    [Callable[[T, Tensor], Awaitable[Tensor]]], Callable[[T, Tensor], Awaitable[Tensor]]
]: ...
def batched(
    max_size: int = 128, max_wait: float = 0.002, *, stack: bool = False
) -> Callable[[Callable[[T, Any], Awaitable[Any]]], Callable[[T, Any], Awaitable[Any]]]:
    """Turn a handler of a list into a message of one item; the calls that wait are handled at once.

    A batch holds at most `max_size` calls and waits at most `max_wait` seconds for them; with
    `max_wait=0` it takes what is queued (GA3C's rule). An answer may be an Exception: it is that
    caller's. With `stack` the handler gets the callers' tensors as one, first dimension = callers.
    """
    if max_size < 1:
        raise ValueError(f"batched: max_size is {max_size}, but a batch holds at least one call")
    if not max_wait >= 0:
        raise ValueError(f"batched: max_wait is {max_wait} seconds, but 0 or more is wanted")

    def wrap(handler: Callable[[T, Any], Awaitable[Any]]) -> Callable[[T, Any], Awaitable[Any]]:
        @wraps(handler)
        async def alone(self: T, item: Any) -> Any:
            """Handle a direct call as a batch of one."""
            answers = await handler(self, item[None] if stack else [item])
            if isinstance(answers[0], Exception):
                raise answers[0]
            return answers[0]

        vars(alone)["tether_batched"] = (Batch(max_size, max_wait, stack), handler)
        return alone

    return wrap


@cache
def handlers(cls: type) -> dict[str, Handler]:
    """Every message of a class: its public `async def` methods, by name."""
    found = {}
    for name in dir(cls):
        function = inspect.getattr_static(cls, name)
        if (
            name.startswith("_")
            or name in RUNTIME_METHODS
            or not isinstance(function, FunctionType)
        ):
            continue
        if inspect.iscoroutinefunction(function):
            found[name] = _handler(name, cls, function)
    return found


def _handler(name: str, cls: type, function: FunctionType) -> Handler:
    batch, gathered = vars(function).get("tether_batched", (None, function))
    kept = vars(function).get("tether_oneway")
    return Handler(name, cls, gathered, kept is not None, kept == "latest", batch)


__all__ = ["Batch", "Handler", "batched", "handlers", "oneway"]
