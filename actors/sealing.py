"""Chunks sealed with AES-256-GCM, each openable once and only in its place.

A key serves one connection in one direction. The n-th chunk under it is sealed with nonces made of
n, so that one that is replayed, moved, spliced into another stream, cut or changed does not open.
"""

from __future__ import annotations

import struct
from collections import deque
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BITS = 256
TAG = 16
ENVELOPE = struct.Struct(">QQ")
"""What can be read of a sealed chunk: the epoch of its key, and its number under it."""
NONCE = struct.Struct(">IQ")
HEADER, DATA = 0, 1
"""What of a chunk a nonce is for, so that the two are never sealed with the same one."""
KEPT = 2
"""Keys of a process that open: what an old connection brought may come after the new key."""


class Refused(ValueError):
    """A sealed chunk does not open; `lost` says that the stream cannot go on under its key."""

    def __init__(self, text: str, reason: str, *, lost: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.lost = lost


class Envelope(NamedTuple):
    """Which key a chunk is sealed with, and as which chunk."""

    epoch: int
    number: int


def new_key() -> bytes:
    """Draw a key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM.generate_key(KEY_BITS)


def epoch_of(key: bytes) -> int:
    """Return the name of a key, which says nothing about it."""
    return int.from_bytes(sha256(b"tether key epoch" + key).digest()[:8])


def envelope(head: bytes) -> Envelope:
    """Return what the first frame of a sealed chunk says openly."""
    if len(head) < ENVELOPE.size + TAG:
        raise Refused("a chunk came that is not sealed", "unsealed")
    return Envelope(*ENVELOPE.unpack_from(head))


def cipher(key: bytes) -> AESGCM:
    """Return what seals and opens with a key; imported late, for one host alone needs none."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


class Sealer:
    """Seals the chunks that go out over one connection."""

    def __init__(self, key: bytes) -> None:
        self._cipher = cipher(key)
        self._epoch = epoch_of(key)
        self._number = 0

    def seal(self, header: bytes, data: memoryview, into: memoryview) -> tuple[bytes, memoryview]:
        """Return a chunk's two frames; the second is in `into`, which needs `TAG` bytes more."""
        number = self._number
        self._number += 1
        opened = ENVELOPE.pack(self._epoch, number)
        head = opened + self._cipher.encrypt(NONCE.pack(HEADER, number), header, opened)
        body = into[: len(data) + TAG]
        self._cipher.encrypt_into(NONCE.pack(DATA, number), data, head, body)
        return head, body


class Opener:
    """Opens the chunks that come in over one connection, in their order."""

    def __init__(self, key: bytes) -> None:
        self._cipher = cipher(key)
        self._next = 0
        self.lost = False

    def open(
        self, number: int, head: bytes, body: memoryview, into: memoryview
    ) -> tuple[bytes, memoryview]:
        """Return a chunk's header and bytes; the latter are in `into`.

        Raises Refused; after one that is forged, or before which others are missing, all are.
        """
        if self.lost:
            raise Refused("a chunk came under a key that is given up", "given up")
        if number < self._next:
            raise Refused(f"chunk {number} came again, or after its turn", "replayed")
        header, data = self._opened(number, head, body, into)
        if number > self._next:
            self.lost = True
            raise Refused(
                f"chunk {number} came in the place of chunk {self._next}", "missing", lost=True
            )
        self._next += 1
        return header, data

    def _opened(
        self, number: int, head: bytes, body: memoryview, into: memoryview
    ) -> tuple[bytes, memoryview]:
        from cryptography.exceptions import InvalidTag

        size = len(body) - TAG
        try:
            if not 0 <= size <= len(into):
                raise InvalidTag
            opened = head[: ENVELOPE.size]
            header = self._cipher.decrypt(NONCE.pack(HEADER, number), head[ENVELOPE.size :], opened)
            data = into[:size]
            self._cipher.decrypt_into(NONCE.pack(DATA, number), body, head, data)
        except InvalidTag:
            self.lost = True
            text = f"chunk {number} does not open: it is forged, changed or cut short"
            raise Refused(text, "forged", lost=True) from None
        return header, data


class Openers:
    """The keys that others have told this process, by epoch; of each process the last ones."""

    def __init__(self) -> None:
        self._openers: dict[int, tuple[str, Opener]] = {}
        self._epochs: dict[str, deque[int]] = {}

    def learn(self, process: str, key: bytes) -> int:
        """Take in a key with which a process seals from now on; return its epoch."""
        epoch = epoch_of(key)
        if epoch not in self._openers:
            self._openers[epoch] = process, Opener(key)
            epochs = self._epochs.setdefault(process, deque())
            epochs.append(epoch)
            if len(epochs) > KEPT:
                del self._openers[epochs.popleft()]
        return epoch

    def epochs(self, process: str) -> tuple[int, ...]:
        """Return the epochs of the keys of a process that are known."""
        return tuple(self._epochs.get(process, ()))

    def find(self, epoch: int) -> tuple[str, Opener]:
        """Return whose key an epoch is, and what opens under it."""
        found = self._openers.get(epoch)
        if found is None:
            raise Refused("a chunk came under a key that nobody has told", "unknown key")
        return found
