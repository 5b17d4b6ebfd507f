"""What a test of conformance gets: `play`, which has its protocol played in one of the worlds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.conformance.cutting import CUTS
from tests.conformance.gates import Gate
from tests.conformance.worlds import WORLDS, Ability, Hand, Where
from tether.runners.accounts import Account, accounts
from tether.runners.world import World

T = TypeVar("T")
ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0
"""Seconds a protocol may take; in virtual time it is given ten times as many."""
ARRIVED = {
    "test_batches", "test_failure", "test_groups", "test_refs", "test_rings", "test_supervision",
    "test_time", "test_turns", "test_values",
}  # fmt: skip
"""What these say is of messages that have arrived."""
RUN: Mapping[str, Any] = {"beat": 0.1, "unreachable": 0.5, "hung": 20.0, "checkpoint": 0}
"""Times scaled down, and checkpoints only when a test asks for a round."""


class Play:
    """Plays a protocol in one world, and checks the books that are left of it."""

    def __init__(self, where: Where, folder: Path) -> None:
        self.where = where
        self.folder = folder
        self.hand: Hand
        self.world: World
        self.accounts: list[Account] = []
        """What became of all messages, for each sender and receiver, the test itself included."""
        self._gates = 0

    def __call__(self, wiring: Mapping[str, Any], main: Callable[[World], Awaitable[T]]) -> T:
        """Run `main` in a world of these actors; return its value once the world has ended.

        Whatever happened in it, all messages have to be accounted for.
        """
        value: T = self.where.run(self._played(wiring, main))
        roster = self.world._conductor.roster
        self.accounts = accounts(list(roster.rows()), roster.alive)
        self._check_books()
        return value

    async def _played(self, wiring: Mapping[str, Any], main: Callable[[World], Awaitable[T]]) -> T:
        tables = {**wiring, "run": {**RUN, **wiring.get("run", {})}}
        self.world = World(tables, self.where.kind, **self.where.given)
        async with self.world:
            self.hand = self.where.hand(self.world, self.folder)
            async with asyncio.timeout(PATIENCE * (1 if self.where.is_real else 10)):
                return await main(self.world)

    def gate(self) -> Gate:
        """Return a gate that is still shut."""
        self._gates += 1
        return Gate(str(self.folder / f"gate {self._gates}"))

    def account(self, source: str, target: str) -> Account:
        """Return what became of the messages of one actor to another."""
        return next(a for a in self.accounts if (a["from"], a["to"]) == (source, target))

    def _check_books(self) -> None:
        result = self.world.result
        assert result is not None
        assert result.problems == []
        dead = self.hand.dead
        for account in self.accounts:
            ends = account["handled"] + sum(account["dropped"].values()) + account["unknown"]
            assert account["sent"] == ends + account["in_flight"], account
            assert account["in_flight"] == 0, account
            assert account["unknown"] == 0 or {account["from"], account["to"]} & dead, account
        if self.world.simulation is not None:
            assert list(self.world.simulation.broken) == []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have each test played in every world that can do to its actors what the test needs."""
    needed: frozenset[Ability] = getattr(metafunc.function, "needs", frozenset())
    able = [name for name, where in WORLDS.items() if needed <= where.can]
    if "death" in metafunc.fixturenames:
        ways = [(name, death) for name in able for death in WORLDS[name].deaths]
        params = [
            pytest.param(*way, marks=marks(metafunc, way[0]), id="-".join(way)) for way in ways
        ]
        metafunc.parametrize(("play", "death"), params, indirect=["play"])
    elif "play" in metafunc.fixturenames:
        worlds = [pytest.param(name, marks=marks(metafunc, name), id=name) for name in able]
        metafunc.parametrize("play", worlds, indirect=True)


def marks(metafunc: pytest.Metafunc, world: str) -> list[pytest.MarkDecorator]:
    """Leave what is the same whatever has carried a message to `make soak`, over TCP."""
    module = metafunc.module.__name__.rpartition(".")[2]
    return [pytest.mark.soak] if world == "tcp" and module in ARRIVED else []


@pytest.fixture
def play(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """What plays a protocol, in one world after the other."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # so that processes of a run find the players
    monkeypatch.setenv(CUTS, str(tmp_path / "cuts"))
    return Play(WORLDS[request.param], tmp_path)
