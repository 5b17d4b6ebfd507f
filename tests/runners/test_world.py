"""A run from Python: actors for as long as a block, in this process or in their own."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.chaos.stage import CENTER, HERE, WORKERS, until
from tether.actors.errors import ActorGone
from tether.actors.ref import Ref
from tether.runners.folder import final_state
from tether.runners.problems import WiringError
from tether.runners.world import World, nobody_hears

Kind = Literal["local", "processes"]
KINDS = pytest.mark.parametrize("kind", ["local", "processes"])


class Counter:
    def __init__(self, start: int = 0) -> None:
        self.n = start

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    async def fail(self) -> None:
        raise LookupError("no such number")

    def state_dict(self) -> dict[str, int]:
        return {"n": self.n}


class Adder:
    def __init__(self, counter: Ref[Counter], steps: int) -> None:
        self.counter, self.steps = counter, steps

    async def run(self) -> None:
        for _ in range(self.steps):
            await self.counter.add(1)


class Failing:
    async def run(self) -> None:
        raise ValueError("the data are gone")


class Broken:
    def __init__(self) -> None:
        raise ValueError("tau is 0")

    async def run(self) -> None: ...


TABLES: Mapping[str, Any] = {
    "counter": {"actor": Counter},
    "adder": {"actor": Adder, "counter": "@counter", "count": 2, "steps": 5},
}


@pytest.fixture
def wiring(tmp_path: Path, players: Path) -> Path:
    path = tmp_path / "wiring.toml"
    path.write_text(CENTER + WORKERS + "steps = 5\n")
    return path


def center(world: World) -> Any:
    return world.ref(importlib.import_module("players").Center, "center")


@KINDS
async def test_a_world_lives_as_long_as_its_block(wiring: Path, kind: Kind, tmp_path: Path) -> None:
    async with World(wiring, kind, folder=tmp_path / "run") as world:
        await world.finished()
        asked = await center(world).add(1)

    assert asked == 11
    assert final_state(tmp_path / "run", "center") == {"n": 11}
    assert world.result is not None
    assert (world.result.outcome, world.result.problems) == ("finished", [])
    traffic = [a for r in world.result.records.values() for a in r["accounts"]]
    assert sum(a["handled"] for a in traffic if a["from"] != "world") == 10
    assert all((a["in_flight"], a["unknown"]) == (0, 0) for a in traffic)


@KINDS
async def test_a_world_that_is_left_early_is_stopped(
    tmp_path: Path, players: Path, kind: Kind
) -> None:
    path = tmp_path / "wiring.toml"
    path.write_text(CENTER + WORKERS)

    async with World(path, kind) as world:
        await center(world).add(1)

    assert world.result is not None
    assert (world.result.outcome, world.result.problems) == ("stopped", [])


@KINDS
async def test_an_exception_in_the_block_ends_the_world_and_passes_on(
    wiring: Path, kind: Kind
) -> None:
    world = World(wiring, kind)

    with pytest.raises(ZeroDivisionError):
        async with world:
            raise ZeroDivisionError

    assert world.result is not None


@KINDS
async def test_an_actors_exception_reaches_who_called_it(wiring: Path, kind: Kind) -> None:
    async with World(wiring, kind) as world:
        with pytest.raises(ValueError, match="the center has no such number") as caught:
            await center(world).fail()

    assert caught.value.__notes__[0] == "in center/0, Center.fail, called by world"


async def test_who_waits_in_the_block_for_one_that_is_killed_is_told(
    tmp_path: Path, players: Path
) -> None:
    path = tmp_path / "wiring.toml"
    path.write_text(
        CENTER + 'max_restarts = 0\n[witness]\nactor = "players:Asker"\ncenter = "@center"\n'
    )
    log = tmp_path / "run" / "logs" / "center-0.log"

    async with World(path, "processes", folder=tmp_path / "run") as world:
        asking = asyncio.ensure_future(center(world).wait())
        await asyncio.to_thread(until, lambda: says(log, "waiting"))
        (pid,) = pids_writing_to(log)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ActorGone, match="center/0 is gone: its process was killed by SIGKILL"):
            await asking
        with pytest.raises(RuntimeError, match="center/0 was given up: its process was killed"):
            await world.finished()

    assert world.result is not None
    assert world.result.outcome == "failed"


def says(log: Path, word: str) -> bool:
    return log.exists() and word in log.read_text()


def pids_writing_to(log: Path) -> list[int]:
    found = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if descriptor.readlink() == log:
                found.append(int(descriptor.parts[2]))
        except OSError:
            continue
    return found


async def test_classes_and_tables_in_python_make_a_local_world() -> None:
    async with World(TABLES, sets=["adder.steps=7"]) as world:
        await world.finished()
        n = await world.ref(Counter, "counter").add(0)

    assert n == 14


def test_a_class_of_a_notebook_lives_in_a_local_world_and_is_refused_for_processes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK], check=False, capture_output=True, text=True, cwd=HERE
    )

    assert done.stdout == "3\n", done.stderr
    assert done.returncode == 2
    assert "move it to a module" in done.stderr


NOTEBOOK = """
import asyncio, sys
from tether.runners.problems import WiringError
from tether.runners.world import World

class Counter:
    async def add(self, k: int) -> int:
        return k + 1

async def counted(kind):
    async with World({"counter": {"actor": Counter}}, kind) as world:
        print(await world.ref(Counter, "counter").add(2))

asyncio.run(counted("local"))
try:
    asyncio.run(counted("processes"))
except WiringError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


async def test_who_failed_is_told_to_who_waits() -> None:
    async with World({"odd": {"actor": Failing}}) as world:
        with pytest.raises(RuntimeError, match="odd/0 was given up: ValueError: the data are gone"):
            await world.finished()

    assert world.result is not None
    assert world.result.outcome == "failed"


async def test_who_failed_is_told_at_the_end_of_the_block_if_nobody_waited() -> None:
    async def left_early() -> None:
        async with World({"odd": {"actor": Failing}}) as world:
            while not world.failed:  # noqa: ASYNC110 - a run sets no Event
                await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="odd/0 was given up: ValueError: the data are gone"):
        await left_early()


async def test_what_cannot_be_made_locally_is_raised_as_itself() -> None:
    world = World({"odd": {"actor": Broken}})

    with pytest.raises(ValueError, match="tau is 0"):
        await world.__aenter__()

    assert world.result is not None


async def test_what_cannot_be_made_elsewhere_is_raised_with_its_reason(players: Path) -> None:
    world = World({"odd": {"actor": "players:Unbuildable"}}, "processes")

    with pytest.raises(RuntimeError, match="the run could not start: odd/0 could not be made"):
        await world.__aenter__()


async def test_an_actor_is_asked_for_by_name_and_class() -> None:
    async with World(TABLES) as world:
        assert await world.ref(Counter, "counter/0").add(0) >= 0
        with pytest.raises(TypeError, match="counter/0 is a Counter, but a Adder is wanted"):
            world.ref(Adder, "counter")
        with pytest.raises(LookupError, match="has no actor 'center'"):
            world.ref(Counter, "center")


async def test_a_world_that_is_not_open_has_no_actors() -> None:
    world = World(TABLES)
    wanted = re.escape("World.ref: the world is not open; use it inside `async with`")

    with pytest.raises(RuntimeError, match=wanted):
        world.ref(Counter, "counter")


async def test_a_world_of_no_known_kind_is_refused() -> None:
    wanted = "World: 'cloud' is no world; there are 'local', 'processes', 'simulated'"

    with pytest.raises(ValueError, match=wanted):
        World(TABLES, "cloud")  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "by"), [("processes", "udp"), ("local", "tcp")])
def test_a_way_that_a_world_does_not_have_is_refused(kind: Kind, by: Any) -> None:
    wanted = f"World: by='{by}', but processes are reached by 'ipc' or by 'tcp'"

    with pytest.raises(ValueError, match=wanted):
        World(TABLES, kind, by=by)


async def test_processes_that_are_reached_by_ports_leave_none_behind(wiring: Path) -> None:
    async with World(wiring, "processes", by="tcp") as world:
        await world.finished()
        asked = await center(world).add(1)

    assert asked == 11
    assert world._ports is not None
    assert all(held.fileno() == -1 for held in world._ports._held)


async def test_gpus_that_are_not_there_are_a_fault_of_the_wiring(
    players: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    world = World({"witness": {"actor": "players:Witness", "on": "gpu0"}}, "processes")

    with pytest.raises(WiringError, match="gpu0 of this machine is wanted, but it has 0 GPUs"):
        await world.__aenter__()


async def test_a_world_keeps_no_folder_it_was_not_given(wiring: Path, tmp_path: Path) -> None:
    async with World(wiring, "processes") as world:
        await world.finished()

    assert names(tmp_path) == ["wiring.toml"]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_said_before_anybody_listens_is_lost() -> None:
    assert nobody_hears("ready", 1) is None  # type: ignore[func-returns-value]
