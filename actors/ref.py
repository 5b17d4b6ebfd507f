"""A typed handle on an actor that may live anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar
from zlib import crc32

from tether.actors.handlers import Handler, handlers
from tether.actors.message import Body

T = TypeVar("T")


class Office(Protocol):
    """Where a handle hands in its calls: the process it is used in."""

    def call(
        self, name: str, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Awaitable[Any]:
        """Return an awaitable that sends one message and ends with its answer."""
        ...

    def edge(self, name: str) -> str:
        """Return the table of an actor to which tensors are compressed; empty if they are not."""
        ...

    def encode(
        self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any], to: str = ""
    ) -> Body:
        """Return the arguments as they travel to an actor or a table: once for all of them."""
        ...

    def begin(self, name: str, handler: Handler, body: Body) -> asyncio.Future[Any]:
        """Send one encoded message; the future ends with its answer, or once it is handed over."""
        ...

    def actor_class(self, name: str) -> type:
        """Return the class of the actor of this name."""
        ...


if TYPE_CHECKING:
    Ref = Annotated[T, "ref"]
    """To a type checker a `Ref[Center]` is a `Center`: calls are checked like local ones."""
else:

    class Ref(Generic[T]):
        """A handle on an actor, by name: awaiting its methods sends messages.

        It names an *actor*, whichever process or incarnation that is; two handles of the same name
        are equal, and in a message it travels as its name.
        """

        __slots__ = ("_handlers", "_name", "_office")

        def __init__(self, name: str, office: Office) -> None:
            self._name = name
            self._office = office
            self._handlers = None

        def __getattr__(self, message: str) -> Callable[..., Awaitable[Any]]:
            if self._handlers is None:
                if message.startswith("__"):
                    raise AttributeError(message)
                self._handlers = handlers(self._office.actor_class(self._name))
            handler = self._handlers.get(message)
            if handler is None:
                raise AttributeError(_no_message(self, message))
            return partial(_call, self._office.call, self._name, handler)

        def __setattr__(self, name: str, value: object) -> None:
            if name not in Ref.__slots__:
                raise AttributeError(
                    f"{self._name}: {name} cannot be set through a Ref; send a message that sets it"
                )
            object.__setattr__(self, name, value)

        def __eq__(self, other: object) -> bool:
            return self._name == other._name if isinstance(other, Ref) else NotImplemented

        def __hash__(self) -> int:
            return crc32(self._name.encode())  # not a text's own, which is another in each process

        def __repr__(self) -> str:
            return f"<Ref {self._name}>"


def _call(
    send: Callable[..., Awaitable[Any]], name: str, handler: Handler, /, *args: Any, **kwargs: Any
) -> Awaitable[Any]:
    return send(name, handler, args, kwargs)


def _no_message(ref: Any, message: str) -> str:
    cls = ref._office.actor_class(ref._name)
    known = ", ".join(sorted(handlers(cls))) or "none"
    return (
        f"{ref._name}: {cls.__name__}.{message} is not a message; a message is a public "
        f"`async def` method of {cls.__name__}: {known}"
    )


def make_ref(name: str, office: Office) -> Any:
    """Return a handle on the actor of this name that hands its calls in at `office`."""
    return Ref(name, office)  # type: ignore[misc,operator,type-arg,unused-ignore]


def is_ref(value: object) -> bool:
    """Tell a handle from any other object."""
    return isinstance(value, Ref)  # type: ignore[arg-type,misc,unused-ignore]


def name_of(ref: Any) -> str:
    """Return the name a handle stands for, as `center/0`."""
    return str(ref._name)


def office_of(ref: Any) -> Office:
    """Return where the handle hands in its calls."""
    office: Office = ref._office
    return office


__all__ = ["Office", "Ref", "is_ref", "make_ref", "name_of", "office_of"]
