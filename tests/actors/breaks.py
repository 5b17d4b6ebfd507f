"""Connections that break while much goes over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import torch

from tests.actors.conftest import World
from tether.actors import oneway


class Center:
    """Answers what it is asked, and keeps the numbers of what it is told."""

    def __init__(self) -> None:
        self.got: list[int] = []

    async def echo(self, x: Any) -> Any:
        return x

    @oneway
    async def note(self, number: int, x: Any = None) -> None:
        self.got.append(number)


class Cuttable(Protocol):
    """A wire that a test can cut."""

    def cut(self) -> None: ...


async def cut_amid(world: World, center: Any, wires: Iterable[Cuttable]) -> None:
    """Send what is small and what is large, cut the wires now and then: all comes once."""

    async def play() -> None:
        for number in range(120):
            await center.note(number, torch.full((50_000,), 1.0) if number % 10 == 0 else None)
            if number % 40 == 20:
                for wire in wires:
                    wire.cut()
            if number % 30 == 0:
                assert await center.echo(number) == number

    await world.act(play)
    await world.quiet()

    assert world.actor("center/0").got == list(range(120))
    assert world.books("script/0", "center/0")["in_flight"] == 0
