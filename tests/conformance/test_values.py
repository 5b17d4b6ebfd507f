"""Values: what travels arrives as it was and fresh; what does not is named at its sender."""

from __future__ import annotations

import asyncio
import math
import struct
from collections import OrderedDict
from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.strangers import Color, Move, Odd, Point, Stranger, Unnamed
from tether.runners.world import World

WIRING = {"stranger": {"actor": Stranger, "me": "@me"}}


def deep(depth: int) -> tuple[Any, ...]:
    """Return an empty tuple in a tuple in a tuple, and so on."""
    value: tuple[Any, ...] = ()
    for _ in range(depth):
        value = (value,)
    return value


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, -(2**63), 2**63 - 1, 2**64 - 1, 2**64, -(2**200), 10**50,
    0.0, -0.0, 1e-308, 5e-324, math.inf, -math.inf, 0.1, 1e300, "", "å∂ß", "\0", "a" * 100_000,
    b"", b"\xff\0", bytes(200_000), [], (), {}, [[], [[]]], (1,), ((), [()]), [None, True, 1, 1.0],
    {"a": {"b": [1, (2, 3)]}}, {1: "int", 2.5: "float", None: "none", b"b": "bytes"},
    {(1, "two"): "tuple", True: "bool"}, [{"deep": [[[[[[[[(1,)]]]]]]]]}], list(range(10_000)),
    {str(k): k for k in range(1000)},
    deep(100),
]  # fmt: skip
"""All that is not a record, a handle or a tensor, and where it might go wrong."""
ITSELF: list[Any] = []
ITSELF.append(ITSELF)
NO_VALUES: list[Any] = [
    {1, 2}, frozenset({1}), object(), Odd(), 1j, range(3),
    Color.RED, OrderedDict(a=1), int, len, ..., type("Text", (str,), {})("a"), iter([]),
    [{"deep": ({3},)}], ValueError("an exception"), deep(200), ITSELF,
]  # fmt: skip


def test_every_value_arrives_as_it_was(play: Play) -> None:
    async def main(world: World) -> tuple[list[Any], float]:
        stranger = world.ref(Stranger, "stranger")
        came = [await stranger.echo(value) for value in VALUES]
        nan = await stranger.echo(math.nan)
        odd_nan = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_BEEF))[0]
        assert struct.pack("<d", await stranger.echo(odd_nan)) == struct.pack("<d", odd_nan)
        return came, nan

    came, nan = play(WIRING, main)

    for value, again in zip(VALUES, came, strict=True):
        assert plainly(again) == plainly(value)
    assert math.isnan(nan)


def plainly(value: Any) -> str:
    """Return a value as text that tells types, the order of dicts and the sign of zeros."""
    if isinstance(value, dict):
        return f"dict({', '.join(f'{plainly(k)}: {plainly(v)}' for k, v in value.items())})"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(plainly, value))})"
    return f"{type(value).__name__}({value!r})"


def test_records_arrive_as_themselves_if_a_signature_names_them(play: Play) -> None:
    move = Move("a", [Point(1, 2), Point(3)], Move("b", []))
    text = "a Unnamed came, but the handler's signature names no such dataclass or NamedTuple"

    async def main(world: World) -> tuple[Move, Any]:
        stranger = world.ref(Stranger, "stranger")
        for call in (stranger.move_unnamed(Unnamed(1)), stranger.unnamed()):
            with pytest.raises(ValueError, match=text):
                await call
        return await stranger.move(move), await stranger.line({"line": [Point(1), Point(2.5)]})

    came, point = play(WIRING, main)

    assert (came, type(came), type(came.path[0]), came.made) == (move, Move, Point, 7)
    assert (point, type(point)) == (Point(2.5), Point)


def test_what_does_not_travel_raises_at_the_sender_which_it_names(play: Play) -> None:
    async def main(world: World) -> list[str]:
        stranger, said = world.ref(Stranger, "stranger"), []
        for value in NO_VALUES:
            with pytest.raises(TypeError) as caught:
                await stranger.echo(value)
            said.append(str(caught.value))
        with pytest.raises(TypeError, match=r"Stranger.keep_soon: a builtins.set does not travel"):
            await stranger.keep_soon([{1, 2}])
        with pytest.raises(TypeError, match=r"the answer of Stranger.a_set: a builtins.set does n"):
            await stranger.a_set()
        return said

    said = play(WIRING, main)

    assert all(text.startswith("Stranger.echo: a ") for text in said), said
    assert "builtins.set does not travel; None, bool, int" in said[0]
    assert "strangers.Odd does not travel" in said[3]
    assert "collections.OrderedDict does not travel" in said[7]
    assert play.account("world", "stranger/0")["sent"] == 1


def test_what_resembles_bytes_arrives_as_bytes(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        stranger = world.ref(Stranger, "stranger")
        return [await stranger.echo(value) for value in (bytearray(b"a"), memoryview(b"b"))]

    assert play(WIRING, main) == [b"a", b"b"]


def test_structure_is_fresh_on_both_sides_and_as_it_was_when_it_left(play: Play) -> None:
    async def main(world: World) -> dict[str, Any]:
        stranger = world.ref(Stranger, "stranger")
        value: list[Any] = [{"a": 1}, [2]]
        seen: dict[str, Any] = {}
        await stranger.keep(value)
        await stranger.spoil_kept()
        seen["sent"] = value
        await stranger.keep_soon(value)
        value[0]["a"] = "changed after a one-way"
        seen["one-way"] = await stranger.shown()
        asking = asyncio.ensure_future(stranger.keep(value))
        await asyncio.sleep(0)
        value.append("changed after an ask")
        await asking
        seen["ask"] = answer = await stranger.shown()
        answer.append("changed by its caller")
        seen["answer"] = await stranger.shown_before()
        return seen

    seen = play(WIRING, main)

    assert seen["sent"][1:] == [[2], "changed after an ask"]
    assert seen["one-way"] == [{"a": 1}, [2]]
    assert seen["ask"] == [{"a": "changed after a one-way"}, [2], "changed by its caller"]
    assert seen["answer"] == [{"a": "changed after a one-way"}, [2]]
