"""How two processes agree on the keys of their bulk, over the control connection between them.

Who sends draws a key for each connection and offers it; who receives keeps it and accepts it; only
then the connection is made, and shows that its maker knows the key. What could not be opened is
told with `lost`, and the sender draws another key and sends again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack

from tether.actors.bulk import Hello, proof_of
from tether.actors.extent import check_extent
from tether.actors.frames import VERSION
from tether.actors.refusals import Refusals
from tether.actors.sealing import KEY_BITS, Keys
from tether.actors.upload import Upload

OFFER, ACCEPT, LOST = 0, 1, 2


class Agreement:
    """The keys of one process: those of its own connections, and those that others have told.

    `say` carries a word to a process.
    """

    def __init__(self, say: Callable[[str, bytes], None], refusals: Refusals) -> None:
        self._say = say
        self._refusals = refusals
        self._uploads: dict[str, Upload] = {}
        self._keys = Keys()

    def begin(self, process: str, upload: Upload) -> None:
        """Offer a fresh key for a connection that is to be made."""
        self._uploads[process] = upload
        upload.change()
        self._tell(process, OFFER, upload.key)

    def repeat(self, process: str) -> None:
        """Say again what an old control connection to a process may have lost."""
        upload = self._uploads.get(process)
        if upload is not None and upload.waits:
            self._tell(process, OFFER, upload.key)
        for epoch in self._keys.epochs(process):
            self._tell(process, ACCEPT, epoch)

    def forget(self, process: str) -> None:
        """Speak no more of the connection there was."""
        self._uploads.pop(process, None)

    def claim(self, hello: Hello) -> tuple[str, bytes]:
        """Return whose connection has come, and its key; raises Refused when that proves nothing.

        A key is for one connection: what was sent over one cannot be played over another.
        """
        return self._keys.claim(hello.epoch, hello.proof, proof_of)

    def lose(self, process: str, epoch: int) -> None:
        """Tell a process that what it sends under a key is given up."""
        self._tell(process, LOST, epoch)

    def _tell(self, process: str, kind: int, value: int | bytes) -> None:
        self._say(process, msgpack.packb([VERSION, kind, value]))

    def hear(self, process: str, word: bytes) -> None:
        """Take in what a process has said; raises ValueError when it is no word of ours."""
        kind, value = unpacked(word)
        upload = self._uploads.get(process)
        if kind == OFFER:
            self._tell(process, ACCEPT, self._keys.learn(process, value))
        elif upload is None:
            return
        elif kind == ACCEPT:
            upload.accepted(value)
        else:
            sentence = f"{process} could not open a chunk, so a new key is agreed on"
            self._refusals.add("chunk lost", sentence)
            if value == upload.epoch:
                upload.reset()


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
