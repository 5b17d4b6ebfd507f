"""The receiving half of a link: delivers once and in order, and says what it has done."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tether.actors.assembly import Assembly, Take
from tether.actors.journal import DROPS, WORDS, Row, Word
from tether.actors.message import Message, Part
from tether.actors.packet import NONE_DROPPED, Ack, Window, made_ack

AHEAD = 4096
"""Messages that may come ahead of a gap; what is further off will be sent again."""

STARTED = int(Word.STARTED)
HANDLED = int(Word.HANDLED)
HANDLED_BYTES = int(Word.HANDLED_BYTES)
DROPPED = {why: Word.DROPPED + index for index, why in enumerate(DROPS)}
TAKEN_OUT = frozenset({"cancelled", "superseded", "cycle"})
"""Why a call may be dropped that is not the next in turn."""


NONE_HELD: dict[int, Message] = {}
NONE_ASSEMBLED: dict[int, Assembly] = {}
"""What all share who have nothing of it: nobody writes into it."""


class Inbound:
    """Messages of one other actor, until they are handled."""

    __slots__ = (
        "_assemblies",
        "_dropped",
        "_expected",
        "_handled",
        "_held",
        "_take",
        "due_bytes",
        "due_settled",
        "duplicates",
        "half",
        "half_bytes",
        "noted",
        "row",
        "settled",
        "settled_bytes",
        "started",
        "window",
    )

    def __init__(self, window: Window, take: Take, row: Row | None = None) -> None:
        self.window = window
        self.row: Row = [0] * WORDS if row is None else row
        self.duplicates = 0
        self._take = take
        self._expected = 1
        self._held = NONE_HELD
        self._assemblies = NONE_ASSEMBLED
        self.started = 0
        """The number of the last call whose handling has begun, or that was passed over."""
        self.settled = 0
        self.settled_bytes = 0
        self._handled = 0
        self._dropped = NONE_DROPPED
        self.half = self.due_settled = (window.messages + 1) // 2
        """How many more are settled when the other side is to be told again."""
        self.half_bytes = self.due_bytes = (window.bytes + 1) // 2
        self.noted = False
        """Whether the other side will be told, before long, of what is handled."""

    @property
    def ack_is_due(self) -> bool:
        """Whether the sender may be waiting to hear: half of its window is settled."""
        return self.settled >= self.due_settled or self.settled_bytes >= self.due_bytes

    def accept(
        self, first: int, messages: tuple[Message, ...], *, small: bool = False
    ) -> Sequence[Message]:
        """Take messages in, none of which has parts if they are `small`; return what is now due."""
        if first == self._expected and self._in_order(messages, small):
            self._expected += len(messages)
            return messages
        for number, message in enumerate(messages, first):
            if number < self._expected or number in self._held:
                self.duplicates += 1
            elif number < self._expected + AHEAD:
                self._hold(number, message)
        return self._due()

    def _in_order(self, messages: tuple[Message, ...], small: bool) -> bool:
        """Tell whether nothing is kept, and none of these has parts: then they are due at once."""
        if self._held or self._assemblies or len(messages) > AHEAD:
            return False
        return small or not any(message.body.parts for message in messages)

    def _hold(self, number: int, message: Message) -> None:
        if self._held is NONE_HELD:
            self._held = {}
        self._held[number] = message

    def place(
        self, number: int, part: int, offset: int, nbytes: int, total: int
    ) -> memoryview | None:
        """Return where a chunk of a part belongs; None when it is not wanted any more.

        Raises ValueError when it does not fit its part, or its message not the window.
        """
        if not self._expected <= number < self._expected + AHEAD:
            self.duplicates += 1
            return None
        assembly = self._assemblies.get(number)
        if assembly is None:
            held = sum(other.nbytes for other in self._assemblies.values())
            if held and held + total > 2 * self.window.bytes:
                raise ValueError(f"a part of {total} bytes came, but the window is full")
            if self._assemblies is NONE_ASSEMBLED:
                self._assemblies = {}
            assembly = self._assemblies[number] = Assembly(self._take)
        return assembly.place(part, offset, nbytes, total)

    def due(self) -> list[Message]:
        """Return the messages that the chunks put in place so far have made complete."""
        return self._due()

    def _due(self) -> list[Message]:
        due: list[Message] = []
        while (message := self._held.get(self._expected)) is not None and self._filled(message):
            self._assemblies.pop(self._expected, None)
            due.append(self._held.pop(self._expected))
            self._expected += 1
        self._held = self._held or NONE_HELD
        self._assemblies = self._assemblies or NONE_ASSEMBLED
        return due

    def _filled(self, message: Message) -> bool:
        """Tell whether a message has all its parts, and give them to it."""
        parts = message.body.parts
        if not any(map(_is_empty, parts)):
            return True
        assembly = self._assemblies.get(self._expected)
        if assembly is None or not assembly.complete(parts):
            return False
        assembly.fill(parts)
        return True

    def withdraw(self, number: int) -> None:
        """Let a call nobody waits for any more expire, whose parts are still on their way."""
        for message in self._held.values():
            if message.is_call and message.number == number:
                message.deadline = -math.inf

    def start(self, number: int) -> None:
        """Note that the handling of a call begins: from now on its outcome is not certain."""
        if number > self.started:  # of a batch the last may have been dropped before all begin
            self.started = number
            self.row[STARTED] = number

    def handled(self, size: int) -> bool:
        """Book a call of so many bytes, whose handling had begun, as handled.

        Tell whether the other side is to be told: it may wait to hear, or nothing is noted yet.
        """
        settled = self.settled = self.settled + 1
        nbytes = self.settled_bytes = self.settled_bytes + size
        handled = self._handled = self._handled + 1
        row = self.row
        row[HANDLED_BYTES] = nbytes
        row[HANDLED] = handled
        return not self.noted or settled >= self.due_settled or nbytes >= self.due_bytes

    def settle(self, message: Message, dropped: str | None = None) -> None:
        """Book a call that came in as handled, or as dropped for a reason."""
        self.settled += 1
        self.settled_bytes += message.body.size
        row = self.row
        row[HANDLED_BYTES] = self.settled_bytes
        if dropped is None:
            self._handled += 1
            row[HANDLED] = self._handled
        else:
            count = self._dropped.get(dropped, 0) + 1
            self._dropped = {**self._dropped, dropped: count}  # acknowledgements hold the old one
            row[DROPPED[dropped]] = count
        if message.number > self.started and dropped not in TAKEN_OUT:
            self.start(message.number)

    @property
    def ack(self) -> Ack:
        """What this half has received and settled."""
        return made_ack((self._expected - 1, self._handled, self.settled_bytes, self._dropped))

    @property
    def received(self) -> int:
        """The number of the last message that came without a gap."""
        return self._expected - 1


def _is_empty(part: Part) -> bool:
    return part.value is None and part.memory is None
