"""A typed handle on an actor that may live anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypeVar
from zlib import crc32

from tether.actors.handlers import Handler, handlers
from tether.actors.message import Body

T = TypeVar("T")


class Office(Protocol):
    """Where a handle hands in its calls: the process it is used in."""

    def caller(self, name: str, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """Return what sends one message to one actor when it is called and awaited."""
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

        __slots__ = ("__dict__", "_name", "_office")

        def __init__(self, name: str, office: Office) -> None:
            object.__setattr__(self, "_name", name)
            object.__setattr__(self, "_office", office)

        def __getattr__(self, message: str) -> Callable[..., Awaitable[Any]]:
            """Return a message; from now on it is found without asking here."""
            if message.startswith("__") or message in Ref.__slots__:
                raise AttributeError(message)
            made = self._office.caller(self._name, handler_of(self, message))
            self.__dict__[message] = made
            return made

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(
                f"{self._name}: {name} cannot be set through a Ref; send a message that sets it"
            )

        def __eq__(self, other: object) -> bool:
            return self._name == other._name if isinstance(other, Ref) else NotImplemented

        def __hash__(self) -> int:
            return crc32(self._name.encode())  # not a text's own, which is another in each process

        def __repr__(self) -> str:
            return f"<Ref {self._name}>"


def handler_of(ref: Any, message: str) -> Handler:
    """Return the handler of one message of a handle's actor; raises AttributeError for none."""
    handler = handlers(ref._office.actor_class(ref._name)).get(message)
    if handler is None:
        raise AttributeError(_no_message(ref, message))
    return handler


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


__all__ = ["Office", "Ref", "handler_of", "is_ref", "make_ref", "name_of", "office_of"]
