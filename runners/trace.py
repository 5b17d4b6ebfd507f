"""Everything that happens on a simulated network, a line each: the same seed, the same bytes."""

from __future__ import annotations

from hashlib import blake2b
from typing import IO, Any

import msgpack


class Trace:
    """Lines of text, and the digest of all of them; `file`, if given, gets them too.

    Of every packet a line has the headers and sizes, and a digest of each message's structure or of
    the chunk of a large one.
    """

    def __init__(self, file: IO[str] | None = None) -> None:
        self.lines = 0
        self._file = file
        self._hash = blake2b(digest_size=16)

    def packet(
        self, now: float, ends: tuple[str, str], size: int, said: bytes, data: bytes | None
    ) -> None:
        """Note a packet that is sent: a frame, or a chunk's header and its data."""
        plain = msgpack.unpackb(said)
        if data is None:
            self.event(now, "frame", *ends, size, _header(plain))
        else:
            self.event(now, "chunk", *ends, size, plain, _digest(data))

    def event(self, now: float, what: str, *details: Any) -> None:
        """Note that something happens, as a line of plain data."""
        line = f"{now!r} {what} {' '.join(map(str, details))}\n"
        self._hash.update(line.encode())
        self.lines += 1
        if self._file is not None:
            self._file.write(line)

    @property
    def digest(self) -> str:
        """The digest of all lines so far, hexadecimal."""
        return self._hash.hexdigest()


def _header(plain: list[Any]) -> list[Any]:
    """Return a frame's headers: each message's structure is its size and digest."""
    *head, packets, words = plain
    return [*head, [_packet(*packet) for packet in packets], words]


def _packet(pair: Any, first: int, ack: Any, slips: list[Any], riders: Any) -> list[Any]:
    return [pair, first, ack, [_message(*slip) for slip in slips], riders]


def _message(kind: int, number: int, method: str, body: Any, chain: Any, cut: int) -> list[Any]:
    data, plain = body
    head = [kind, number, method, chain, cut, plain]
    return [*head, _digest(data) if data else None, len(data)]


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()
