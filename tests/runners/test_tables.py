"""The reserved keys of a table, and the classes that can be actors."""

from __future__ import annotations

from typing import Any

import pytest

from tether.actors.handlers import batched, oneway
from tether.runners.imports import Imports
from tether.runners.places import Places
from tether.runners.problems import Problems
from tether.runners.spec import Bounds
from tether.runners.tables import ActorTable, read_table


class Open:
    async def ask(self, *args: int, **kwargs: int) -> int:
        return len(args)

    @oneway
    async def tell(self, x: int) -> None: ...

    @batched(max_size=4)
    async def predict(self, states: list[int]) -> list[int]:
        return states

    async def state_dict(self) -> dict[str, int]:
        return {}


class Alone:
    async def run(self, patience: float = 1.0) -> None: ...


class Told(Open):
    async def down(self, peer: object, why: Exception) -> None: ...

    async def joined(self, peer: object) -> None: ...

    async def left(self, peer: object, *, quietly: bool = True) -> None: ...

    async def leaving(self) -> None: ...


def table(**keys: Any) -> tuple[ActorTable, int]:
    problems = Problems()
    return read_table("worker", keys, Places({}), Imports(problems), problems), len(problems)


def test_without_keys_the_defaults_hold() -> None:
    found, problems = table(actor=Open)

    assert problems == 0
    assert (found.count, found.processes, found.beside, found.threads) == (1, None, None, 1)
    assert (found.restart, found.max_restarts, found.max_seconds) == ("transient", 3, 60.0)


@pytest.mark.parametrize("cls", [Open, Alone, Told])
def test_any_class_with_messages_or_a_run_is_an_actor(cls: type) -> None:
    found, problems = table(actor=cls)

    assert problems == 0
    assert found.cls is cls


def test_what_is_not_reserved_is_an_argument() -> None:
    found, _ = table(actor=Open, restart="permanent", max_seconds=5, tau=10)

    assert found.arguments == {"tau": 10}
    assert found.restart == "permanent"
    assert found.max_seconds == 5.0


def test_each_reserved_key_has_its_own_check() -> None:
    _, problems = table(actor=Open, threads=True, max_restarts=1.5, processes=0, restart=[])

    assert problems == 4


def test_a_range_of_counts_has_room_for_its_most() -> None:
    found, problems = table(actor=Open, count={"start": 4, "min": 1, "max": 16})

    assert problems == 0
    assert (found.count, found.bounds) == (16, Bounds(start=4, min=1, max=16))
