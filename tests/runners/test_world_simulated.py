"""A simulated world from Python: the same program, whatever goes wrong, and nothing is broken."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.runners.worlds import HOSTED, TABLES, Counter, now, simulation, virtual
from tether.actors.errors import ActorGone
from tether.actors.inbound import Inbound
from tether.actors.message import Message
from tether.runners.distribution import fixed
from tether.runners.medium import total
from tether.runners.problems import WiringError
from tether.runners.virtual import run
from tether.runners.world import BrokenPromise, World

Tables = Mapping[str, Any]


class Failing:
    async def run(self) -> None:
        raise ValueError("the data are gone")


class Broken:
    def __init__(self) -> None:
        raise ValueError("tau is 0")

    async def run(self) -> None: ...


class Asker(Counter):
    async def fail(self) -> None:
        raise ValueError("no such number")

    async def wait(self) -> None:
        await asyncio.Event().wait()


async def ran(
    tables: Tables = TABLES,
    faults: Tables | Path | None = None,
    network: Tables | Path | None = None,
    seed: int = 3,
) -> tuple[World, int]:
    """Simulate a run; return its world, which has closed, and what the counter has counted."""
    async with World(tables, "simulated", seed=seed, faults=faults, network=network) as world:
        await world.finished()
        counted = await world.ref(Counter, "counter").add(0)
    assert [*simulation(world).broken] == []
    assert world.result is not None
    assert (world.result.outcome, world.result.problems) == ("finished", [])
    return world, counted


def struck(world: World) -> list[tuple[str, tuple[str, ...]]]:
    return [(strike.kind, strike.victims) for strike in simulation(world).chaos.strikes]


@virtual
async def test_a_world_in_which_nothing_goes_wrong_takes_the_time_of_its_work() -> None:
    world, counted = await ran()

    assert counted == 600
    assert 3.2 < now() < 4.0
    assert simulation(world).final.names() == [
        "adder-0.safetensors", "adder-1.safetensors", "counter-0.safetensors"
    ]  # fmt: skip
    assert simulation(world).tally.restarts == []
    assert total(simulation(world).medium.edges.values()).lost == 0


@virtual
async def test_who_crashes_comes_back_from_its_last_checkpoint() -> None:
    world, counted = await ran(faults={"crash": [{"at": "1.5s", "actor": "adder/1"}]})

    (restart,) = simulation(world).tally.restarts
    assert struck(world) == [("crash", ("adder/1",))]
    assert (restart.actor, restart.incarnation) == ("adder/1", 2)
    assert restart.checkpoint.startswith("adder-1.")
    assert 0 < restart.step < 300
    assert 600 <= counted <= 600 + restart.rolled_back_steps + 1


@virtual
async def test_who_crashes_and_loses_its_checkpoints_begins_afresh() -> None:
    world, counted = await ran(
        faults={"crash": [{"at": "2.5s", "actor": "adder/1", "checkpoint": False}]}
    )

    (restart,) = simulation(world).tally.restarts
    assert (restart.checkpoint, restart.step) == ("", 0)
    assert restart.rolled_back_steps > 200
    assert 600 + restart.rolled_back_steps <= counted <= 601 + restart.rolled_back_steps


@virtual
async def test_who_serves_and_crashes_comes_back_while_others_wait() -> None:
    world, _ = await ran(faults={"crash": [{"at": "1.5s", "actor": "counter"}]})

    (restart,) = simulation(world).tally.restarts
    assert restart.actor == "counter/0"
    assert restart.rolled_back_messages > 0


@virtual
async def test_who_is_paused_goes_on_and_all_is_counted_once() -> None:
    world, counted = await ran(faults={"pause": [{"at": "1s", "for": "2s", "actor": "counter"}]})

    assert counted == 600
    assert struck(world) == [("pause", ("counter/0",))]
    assert 5.2 < now() < 6.0


@virtual
async def test_who_is_slow_takes_its_time() -> None:
    world, counted = await ran(
        faults={"slow": [{"at": "1s", "for": "1h", "factor": 3, "actor": "adder/0"}]}
    )

    work = simulation(world).work
    long = [each for each in work if each.ends - each.begins > 0.02]
    assert counted == 600
    assert {each.actor for each in long} == {"adder/0"}
    assert 6.0 < now() < 8.0


@virtual
async def test_who_is_cut_off_goes_on_when_the_partition_ends() -> None:
    world, counted = await ran(
        faults={"partition": [{"at": "1s", "for": "1s", "between": ["adder/0", "counter"]}]}
    )

    edges = simulation(world).medium.edges
    assert counted == 600
    assert edges["adder-0", "counter-0"].count.lost > 0
    assert edges["adder-1", "counter-0"].count.lost == 0
    assert struck(world) == [("partition", ("adder/0→counter", "counter→adder/0"))]


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({"loss": 0.2}, "lost"),
        ({"duplicate": 0.2}, "doubled"),
        ({"reorder": 0.5, "late": "50ms"}, "late"),
        ({"latency": "100ms"}, ""),
        ({"bandwidth": "10kB/s"}, ""),
    ],
)
def test_whatever_the_network_does_all_is_counted_once(keys: Tables, count: str) -> None:
    async def main() -> tuple[World, int, float]:
        world, counted = await ran(faults={"link": [{"at": "1s", "for": "1s", **keys}]})
        return world, counted, now()

    world, counted, end = run(main())

    whole = total(simulation(world).medium.edges.values())
    assert counted == 600
    assert [kind for kind, _ in struck(world)] == ["link"]
    assert {name for name in ("lost", "doubled", "late") if getattr(whole, name)} == {count} - {""}
    assert end > 3.5 or count != "lost"


@virtual
async def test_a_network_may_be_bad_from_the_beginning() -> None:
    network = {
        "start": "1s",
        "link": [{"latency": "5ms", "loss": 0.1, "from": "adder"}],
        "compute": {"adder": "20ms", "adder/1": {"gradient": "40ms"}},
    }

    world, counted = await ran(network=network)

    times = {(each.actor, round(each.ends - each.begins, 6)) for each in simulation(world).work}
    assert counted == 600
    assert times == {("adder/0", 0.02), ("adder/1", 0.04)}
    assert simulation(world).medium.edges["adder-0", "counter-0"].count.lost > 0
    assert now() > 1 + 300 * (0.04 + 0.005)


@virtual
async def test_a_wiring_of_several_hosts_is_simulated_and_its_hosts_are_names() -> None:
    network = {"link": [{"between": ["left", "right"], "latency": "20ms"}]}
    faults = {
        "partition": [{"at": "1s", "for": "1s", "from": "right", "to": "left"}],
        "crash": [{"at": "3s", "host": "right"}],
    }

    world, _ = await ran(HOSTED, faults, network)

    edges = simulation(world).medium.edges
    assert edges["adder-0", "counter-0"].route.latency == fixed(0.02)
    assert edges["adder-0", "counter-0"].count.lost > 0
    restarts = simulation(world).tally.restarts
    assert sorted(restart.actor for restart in restarts) == ["adder/0", "adder/1"]


@virtual
async def test_network_and_faults_may_be_files(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("0.02\n")
    network, faults = tmp_path / "network.toml", tmp_path / "faults.toml"
    network.write_text('[compute]\nadder = { trace = "times.txt" }\n')
    faults.write_text('[[pause]]\nactor = "adder/0"\nfor = "1s"\nat = { trace = ["2s"] }\n')

    world, _ = await ran(faults=faults, network=network)

    assert struck(world) == [("pause", ("adder/0",))]
    assert 7.0 < now() < 8.5


@pytest.mark.parametrize("given", ["network", "faults"])
def test_what_is_wrong_with_a_file_is_told_before_anything_begins(given: Any) -> None:
    wrong: dict[str, Any] = {given: {"quake": []}}

    with pytest.raises(WiringError, match=r"quake.*: there is no such k"):
        run(ran(**wrong))


@pytest.mark.parametrize("given", [{"seed": 1}, {"faults": {}}, {"network": {}}])
@pytest.mark.parametrize("kind", ["local", "processes"])
def test_only_a_simulated_world_has_a_seed_a_network_and_faults(
    kind: Literal["local", "processes"], given: Any
) -> None:
    wanted = f"World: network, faults and seed are of a simulated world, but this is {kind!r}"

    with pytest.raises(ValueError, match=wanted):
        World(TABLES, kind, **given)


async def test_a_simulated_world_begins_in_virtual_time() -> None:
    world = World(TABLES, "simulated")
    wanted = "begin with tether.runners.virtual.run(main())"

    with pytest.raises(RuntimeError, match=re.escape(wanted)):
        await world.__aenter__()


@virtual
async def test_the_seed_is_the_runs_own_unless_another_is_given() -> None:
    seeds = []

    for seed in (None, 99):
        async with World(TABLES, "simulated", seed=seed) as world:
            seeds.append(simulation(world).seed)

    assert seeds == [7, 99]


@virtual
async def test_a_world_that_is_left_early_is_stopped() -> None:
    async with World(TABLES, "simulated") as world:
        await asyncio.sleep(1)
        counted = await world.ref(Counter, "counter").add(0)

    assert world.result is not None
    assert world.result.outcome == "stopped"
    assert 100 < counted < 250
    assert [*simulation(world).broken] == []


def test_what_the_block_raises_passes_on() -> None:
    async def main() -> None:
        async with World(TABLES, "simulated"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main())


@virtual
async def test_an_actors_exception_reaches_who_called_it() -> None:
    async with World({"asker": {"actor": Asker}}, "simulated") as world:
        with pytest.raises(ValueError, match="no such number") as caught:
            await world.ref(Asker, "asker").fail()

    assert caught.value.__notes__[0] == "in asker/0, Asker.fail, called by world"


@virtual
async def test_who_waits_for_one_that_crashes_is_told() -> None:
    tables = {"asker": {"actor": Asker, "restart": "permanent"}}
    faults = {"crash": [{"at": "1s", "actor": "asker"}]}

    async with World(tables, "simulated", faults=faults) as world:
        with pytest.raises(ActorGone, match="asker/0 is gone: its process was killed by SIGKILL"):
            await world.ref(Asker, "asker").wait()

    assert [*simulation(world).broken] == []


def test_who_failed_is_told() -> None:
    async def main(kind: type) -> None:
        async with World({"odd": {"actor": kind, "max_restarts": 0}}, "simulated") as world:
            await world.finished()

    with pytest.raises(RuntimeError, match="odd/0 was given up: ValueError: the data are gone"):
        run(main(Failing))
    with pytest.raises(RuntimeError, match="the run could not start: odd/0 could not be made"):
        run(main(Broken))


accept = Inbound.accept


def doubles(self: Inbound, *packet: Any, **more: Any) -> list[Message]:
    return [m for m in accept(self, *packet, **more) for _ in range(2 if m.number == 1 else 1)]


def loses(self: Inbound, *packet: Any, **more: Any) -> list[Message]:
    return [m for m in accept(self, *packet, **more) if not m.is_call or m.number > 1]


async def told() -> list[str]:
    """Send a message that nobody waits for; return what was broken."""
    world = World({"counter": {"actor": Counter}}, "simulated")
    with suppress(BrokenPromise):
        async with world:
            await world.ref(Counter, "counter").note(1)
    return [*simulation(world).broken]


def test_a_runtime_that_delivers_a_message_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inbound, "accept", doubles)

    broken = run(told())

    assert "message 1 of world to counter/0, note, begins, but it was never sent" in broken[0]


def test_a_runtime_that_loses_a_message_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inbound, "accept", loses)

    broken = run(told())

    assert [text.partition(": ")[2] for text in broken] == [
        "message 1 of world to counter/0, note, was sent, but never came"
    ]


def test_a_broken_promise_raises_at_the_end_of_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inbound, "accept", doubles)

    async def main() -> None:
        async with World({"counter": {"actor": Counter}}, "simulated") as world:
            await world.ref(Counter, "counter").note(1)

    with pytest.raises(BrokenPromise, match="begins, but it was never sent"):
        run(main())
