"""How two processes agree on the keys of their bulk, over the control connection that CURVE guards.

Who sends draws a key for each connection and offers it; who receives keeps it and accepts it; only
then anything leaves under it. What can no longer be opened is told with `lost`, and the sender
draws another key and sends again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from tether.actors.extent import check_extent
from tether.actors.frames import CHUNK, VERSION
from tether.actors.refusals import Refusals
from tether.actors.sealing import KEY_BITS, Openers, Refused, envelope
from tether.actors.speaker import SealedOutlet

OFFER, ACCEPT, LOST = 0, 1, 2


class Agreement:
    """The keys of one process: those it seals with, and those it opens with.

    `say` carries a word to a process; `resend` is called when what went to one may be lost.
    """

    def __init__(
        self, say: Callable[[str, bytes], None], resend: Callable[[str], None], refusals: Refusals
    ) -> None:
        self._say = say
        self._resend = resend
        self._refusals = refusals
        self._outlets: dict[str, SealedOutlet] = {}
        self._openers = Openers()
        self._memory = memoryview(b"")

    def begin(self, process: str, outlet: SealedOutlet) -> None:
        """Offer a fresh key for a bulk connection that was just made."""
        self._outlets[process] = outlet
        outlet.change()
        self._tell(process, OFFER, outlet.key)

    def repeat(self, process: str) -> None:
        """Say again what an old control connection to a process may have lost."""
        outlet = self._outlets.get(process)
        if outlet is not None:
            self._tell(process, OFFER, outlet.key)
        for epoch in self._openers.epochs(process):
            self._tell(process, ACCEPT, epoch)

    def forget(self, process: str) -> None:
        """Seal nothing any more for the connection there was."""
        self._outlets.pop(process, None)

    def _tell(self, process: str, kind: int, value: int | bytes) -> None:
        self._say(process, msgpack.packb([VERSION, kind, value]))

    def hear(self, process: str, word: bytes) -> None:
        """Take in what a process has said; raises ValueError when it is no word of ours."""
        kind, value = unpacked(word)
        outlet = self._outlets.get(process)
        if kind == OFFER:
            self._tell(process, ACCEPT, self._openers.learn(process, value))
        elif outlet is None:
            return
        elif kind == ACCEPT:
            outlet.accepted(value)
        elif value == outlet.epoch:
            sentence = f"{process} could not open a chunk, so a new key is agreed on"
            self._refusals.add("chunk lost", sentence)
            self.begin(process, outlet)
            self._resend(process)

    def open(self, head: bytes, body: memoryview) -> tuple[bytes, memoryview] | None:
        """Return the header and the bytes of a sealed chunk, valid until the next one is opened.

        None of one that is refused, which is counted.
        """
        process = ""
        try:
            epoch, number = envelope(head)
            process, opener = self._openers.find(epoch)
            if not self._memory:
                self._memory = memoryview(bytearray(CHUNK))
            return opener.open(number, head, body, self._memory)
        except Refused as error:
            whose = f" of {process}" if process else ""
            self._refusals.add(error.reason, f"a chunk{whose} was refused: {error}")
            if error.lost:
                self._tell(process, LOST, epoch)
        return None


def unpacked(word: bytes) -> tuple[int, Any]:
    """Return kind and value of a word about keys; raises ValueError when it is none."""
    try:
        check_extent(word)
        version, kind, value = msgpack.unpackb(word)
    except (TypeError, ValueError, msgpack.UnpackException) as error:
        # Not what the error holds: that may be a key.
        raise ValueError(f"a word about keys is malformed: {type(error).__name__}") from None
    if version != VERSION or kind not in (OFFER, ACCEPT, LOST):
        raise ValueError("a word about keys is not one of this wire version")
    fits = len(value) * 8 == KEY_BITS if isinstance(value, bytes) else type(value) is int
    if not fits or isinstance(value, bytes) != (kind == OFFER):
        raise ValueError("a word about keys came without a key, or the name of one")
    return kind, value
