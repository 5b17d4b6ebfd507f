"""Inputs made of valid ones: their structure is kept where it can be, and changed in one place."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgpack

from tether.actors.outflow import LENGTH

DESCEND = 0.85
"""How often it is something inside a list, a dict or an extension that is changed, and not that."""
MOST = 8192
"""Bytes of the largest input."""
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    127,
    128,
    255,
    4096,
    65536,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
JUNK: tuple[Any, ...] = (
    None, True, False, *NUMBERS, 0.0, 1.0, -1.5, float("inf"), float("nan"), "", "a", "center/0",
    "float32", "é" * 40, "a" * 1100, b"", b"abc", bytes(64), [], [[]], [0], {}, {"expired": 1},
    {1: 2}, [[], [], []], msgpack.Timestamp(1, 2), msgpack.ExtType(1, b"\x90"),
    msgpack.ExtType(7, b"12"), msgpack.ExtType(99, b""),
)  # fmt: skip
HEADERS = [
    head + size
    for head in (b"\xdc", b"\xdd", b"\xde", b"\xdf", b"\xc4", b"\xc6", b"\xc7", b"\xc9", b"\xdb")
    for size in (b"\xff\xff", b"\0\0\1\0", b"\0\1\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff")
]
"""What announces large things."""


def mutated(data: bytes, random: Random, others: tuple[bytes, ...] = ()) -> bytes:
    """Return an input like this one, with one change or a few."""
    for _ in range(random.choice((1, 1, 1, 1, 1, 1, 2, 4))):
        change = random.choice(CHANGES)
        data = change(data, random, random.choice(others) if others else data)[:MOST]
    return data


def tree_changed(data: bytes, random: Random, other: bytes) -> bytes:
    """Change what it says, if it says something in msgpack."""
    try:
        return packed(altered(unpacked(data), random, other))
    except Exception:  # whatever keeps it from being changed this way
        return bytes_changed(data, random, other)


def letters_changed(data: bytes, random: Random, other: bytes) -> bytes:
    """Change one message of a stream of them, in its content, and mostly its length with it."""
    letters, rest = split(data)
    if not letters:
        return tree_changed(data, random, other)
    at = random.randrange(len(letters))
    way = random.choice((tree_changed, tree_changed, bytes_changed))
    letters[at] = way(letters[at], random, other)
    if random.random() < 0.2:
        letters.insert(random.randrange(len(letters) + 1), random.choice(letters))
    return b"".join(LENGTH.pack(len(letter)) + letter for letter in letters) + rest


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole messages of a stream, and what comes after them."""
    letters, at = [], 0
    while len(data) - at >= LENGTH.size:
        (size,) = LENGTH.unpack_from(data, at)
        if at + LENGTH.size + size > len(data):
            break
        letters.append(data[at + LENGTH.size : at + LENGTH.size + size])
        at += LENGTH.size + size
    return letters, data[at:]


def bytes_changed(data: bytes, random: Random, other: bytes) -> bytes:
    """Change bytes, whatever they say."""
    at, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    kind = random.randrange(6)
    if kind == 0:
        return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:end] + data[at:]
    if kind == 3:
        return (
            data[:at]
            + random.choice(HEADERS) * random.choice((1, 1, 1, 1, 1, 1, 2, 200))
            + data[at:]
        )
    if kind == 4:
        return data[:at] + other[at:]
    return data[:at] + random.randbytes(random.randrange(1, 9)) + data[at:]


def announced(data: bytes, random: Random, _other: bytes) -> bytes:
    """Announce more inside one another than there is."""
    depth = random.choice((1, 1, 2, 5, 5, 20, 20, 20, 500))
    size = (len(data) + random.choice((0, 4096, 3 * depth))).to_bytes(4, "big")
    head = random.choice((b"\xdd", b"\xdf", b"\x91\xdd")) + size
    return head * depth + data + bytes(random.choice((0, 0, 0, 0, 0, 4096)))


CHANGES: tuple[Callable[[bytes, Random, bytes], bytes], ...] = (
    *[tree_changed] * 10, *[letters_changed] * 4, *[bytes_changed] * 4, announced,
)  # fmt: skip


def altered(value: Any, random: Random, other: bytes) -> Any:
    """Return a value with something in it, or itself, changed."""
    if random.random() > DESCEND:
        return random.choice(WAYS)(value, random, other)
    if isinstance(value, list) and value:
        at = random.randrange(len(value))
        return [*value[:at], altered(value[at], random, other), *value[at + 1 :]]
    if isinstance(value, dict) and value:
        key = random.choice(list(value))
        return {**value, key: altered(value[key], random, other)}
    if isinstance(value, msgpack.ExtType):
        return msgpack.ExtType(value.code, tree_changed(value.data, random, other))
    if isinstance(value, bytes) and len(value) > 1:
        return tree_changed(value, random, other)
    return random.choice(WAYS)(value, random, other)


def replaced(_value: Any, random: Random, _other: bytes) -> Any:
    return [[]] * 5001 if random.random() < 0.01 else random.choice(JUNK)


def shifted(value: Any, random: Random, _other: bytes) -> Any:
    number = value if isinstance(value, int) else 0
    return min(max(number + random.choice((-1, 1, 2, 4096)), -(2**63)), 2**64 - 1)


def wrapped(value: Any, random: Random, _other: bytes) -> Any:
    for _ in range(random.choice((1, 1, 1, 1, 2, 130))):
        value = [value]
    return msgpack.ExtType(random.randrange(10), packed(value)) if random.random() < 0.3 else value


def resized(value: Any, random: Random, _other: bytes) -> Any:
    if isinstance(value, list | str | bytes) and value:
        whole: Any = value
        many = random.choice((2, 2, 2, 2, 2, 2, 2, 300, 5001))
        return random.choice((whole[:-1], whole[1:], whole + whole[:1], whole[:1] * many))
    return random.choice(JUNK)


def grafted(_value: Any, _random: Random, other: bytes) -> Any:
    return unpacked(other)


WAYS: tuple[Callable[[Any, Random, bytes], Any], ...] = (
    replaced, replaced, shifted, wrapped, resized, grafted,
)  # fmt: skip


def unpacked(data: bytes) -> Any:
    """Return what bytes say, with extensions as they are."""
    if len(data) > 512:  # what announces more than it holds would take long
        unpacker = msgpack.Unpacker(max_buffer_size=len(data))
        unpacker.feed(data)
        unpacker.skip()
    return msgpack.unpackb(data, strict_map_key=False, ext_hook=msgpack.ExtType)


def packed(value: Any) -> bytes:
    """Return the bytes that say something."""
    data: bytes = msgpack.packb(value)
    return data
