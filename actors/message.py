"""What travels between actors: calls and their answers, with bodies that are already encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from tether.actors.accelerator import Fence
    from tether.actors.link import Link
    from tether.actors.payload import Saving
else:
    Fence = Link = Saving = Any  # msgspec looks into what it decodes, but these never travel

LONGEST = 1024
"""Characters of a name: those that came are kept, so that they need not be looked at again."""
OVERHEAD = 64
"""Bytes a message is taken to cost beside its body, so that empty ones are bounded too."""


Count = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(max_length=LONGEST)]


class Kind(IntEnum):
    """What a message is for."""

    TELL = 0
    ASK = 1
    ANSWER = 2
    FAILURE = 3


LAST_CALL = int(Kind.ASK)
"""The last kind that is a call, as a plain number: looking up an enumeration's member costs more
than the comparison."""


@dataclass(slots=True, eq=False)
class Part:
    """A large value beside the structure: a tensor or an array, by reference or as its bytes.

    `value` is the tensor or array itself, read-only to the receiver. When it came from another
    process there is only `memory`, a flat writable array of uint8 the receiver may keep, or a
    tensor of a GPU's. `address` is that of transport memory that is lent, 0 for a copy of the
    sender's own. Of a value on a GPU, `host` is its copy for who cannot read it there, and `fence`
    is behind that copy; of one that was copied to a GPU, `fence` is behind that.
    """

    nbytes: int
    value: Any = None
    memory: Any = None
    address: int = 0
    host: Any = None
    fence: Fence | None = None


class End:
    """Where what travels of a message ends: nothing that comes can be decoded to one."""


END = End()


class Body(msgspec.Struct, eq=False, array_like=True):
    """Encoded arguments or an encoded answer: msgpack, and the parts it speaks of by number.

    A `plain` one holds nothing but what msgpack itself knows. `saving` is what compressing its
    tensors has saved and cost, None where none is compressed. It leaves the process once its GPU
    has passed the `fences`.
    """

    data: bytes
    plain: bool = False
    end: End = END
    parts: tuple[Part, ...] = ()
    saving: Saving | None = None
    fences: tuple[Fence, ...] = ()

    @property
    def size(self) -> int:
        """Bytes it counts for where messages are bounded."""
        size = OVERHEAD + len(self.data)
        return size + sum([part.nbytes for part in self.parts]) if self.parts else size


class Message(msgspec.Struct, eq=False, array_like=True):
    """One call or answer on its way from one actor to another.

    `number` names a call in its asker's process, and the answer bears the same; `deadline` is in
    seconds of the local clock; `chain` lists the calls on whose behalf this one is made; `cut` is
    the last round of checkpoints its sender had taken. `link` is the receiver's side of that over
    which it came, once it is delivered.
    """

    kind: Kind
    number: Count
    method: Name
    body: Body
    chain: tuple[tuple[Name, Count], ...] = ()
    cut: Count = 0
    end: End = END
    deadline: float | None = None
    admitted: Callable[[], None] | None = None
    link: Link = None  # type: ignore[assignment]  # nobody looks before it is delivered

    @property
    def source(self) -> str:
        """Who sent it, once it is delivered."""
        return self.link.remote

    @property
    def is_call(self) -> bool:
        """Whether it is counted and bounded: answers are paid for by their ask."""
        return self.kind <= LAST_CALL
