"""Chunks sealed with AES-256-GCM, each openable once and only in its place.

A key serves one connection in one direction. The n-th chunk under it is sealed with nonces made of
n, so that one that is replayed, moved, spliced into another stream, cut or changed does not open.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
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
"""Keys of a process that are known: a connection may come after a newer key was told."""

Into = Callable[[bytes, int], memoryview]
"""Returns so many bytes of memory for the data of the chunk with this header."""


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
        self, number: int, head: bytes, body: memoryview, into: Into
    ) -> tuple[bytes, memoryview]:
        """Return a chunk's header and bytes; `into` says where the latter belong.

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
        self, number: int, head: bytes, body: memoryview, into: Into
    ) -> tuple[bytes, memoryview]:
        from cryptography.exceptions import InvalidTag

        size = len(body) - TAG
        try:
            if size < 0:
                raise InvalidTag
            opened = head[: ENVELOPE.size]
            header = self._cipher.decrypt(NONCE.pack(HEADER, number), head[ENVELOPE.size :], opened)
            data = into(header, size)
            self._cipher.decrypt_into(NONCE.pack(DATA, number), body, head, data)
        except InvalidTag:
            self.lost = True
            text = f"chunk {number} does not open: it is forged, changed or cut short"
            raise Refused(text, "forged", lost=True) from None
        return header, data


class Keys:
    """The keys that others have told this process, by epoch; of each process the last ones.

    Each is for one connection: what was once claimed is known no more, whoever tells it again.
    """

    def __init__(self) -> None:
        self._keys: dict[int, tuple[str, bytes]] = {}
        self._epochs: dict[str, deque[int]] = {}

    def learn(self, process: str, key: bytes) -> int:
        """Take in the key of a connection that a process is to make; return its epoch."""
        epoch = epoch_of(key)
        epochs = self._epochs.setdefault(process, deque())
        if epoch not in epochs and epoch not in self._keys:
            self._keys[epoch] = process, key
            epochs.append(epoch)
            if len(epochs) > KEPT:
                self._keys.pop(epochs.popleft(), None)
        return epoch

    def epochs(self, process: str) -> tuple[int, ...]:
        """Return the epochs of the last keys of a process."""
        return tuple(self._epochs.get(process, ()))

    def claim(self, epoch: int, proof: bytes, of: Callable[[bytes], bytes]) -> tuple[str, bytes]:
        """Return whose key an epoch is, and the key, once; `of` says what proves that it is known.

        Raises Refused.
        """
        found = self._keys.get(epoch)
        if found is None:
            raise Refused(
                "a connection came under a key that nobody has told, or that was used before",
                "unknown key",
            )
        if not compare_digest(proof, of(found[1])):
            raise Refused("a connection came that does not know its key", "wrong proof")
        return self._keys.pop(epoch)
