"""Whether bytes of msgpack hold all that they announce: what they decode to is then in proportion.

A list is made, as large as it is announced, before its first element is read, and lists may be
announced inside one another: 16 kB of nothing but announcements take 80 MB.
"""

from __future__ import annotations

import msgpack

SMALL = 512
"""Bytes of which nothing large can be announced: with all in one another it is less than 1 MB."""


def check_extent(data: bytes) -> None:
    """Raise ValueError when less has come than is announced; nothing is made for it."""
    if len(data) <= SMALL:
        return
    unpacker = msgpack.Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    try:
        unpacker.skip()
    except msgpack.UnpackException as error:
        raise ValueError(f"{len(data)} bytes do not hold what they announce: {error!r}") from error
