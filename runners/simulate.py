"""`tether simulate`: a wiring in virtual time, with seeded faults, once or for many seeds."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tether.runners import virtual
from tether.runners.faults import Fault, read_faults
from tether.runners.findings import Findings, found
from tether.runners.imports import first_on_path
from tether.runners.linker import link
from tether.runners.network import Network
from tether.runners.network_file import read_network, tables_of
from tether.runners.result import Result
from tether.runners.simulation import Simulation
from tether.runners.spec import Plan
from tether.runners.trace import Trace
from tether.runners.wiring import override, read

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What one simulation is of: a wiring and what is changed in it, its network and its faults.

    `duration` is in seconds of virtual time, after which a run is ended in good order.
    """

    wiring: Path
    sets: Sequence[str] = ()
    network: Path | None = None
    faults: Path | None = None
    duration: float = HOUR

    def plan(self, seed: int) -> Plan:
        """Return the plan with a seed; all of it runs on the CPU."""
        sets = [*self.sets, f"run.seed={seed}", "run.device=cpu"]
        tables = override(read(self.wiring), sets)
        folder = self.wiring.parent.absolute()
        return link(tables, folder, name=self.wiring.stem)

    def check(self, seed: int) -> None:
        """Raise WiringError with all that is wrong with one of the files."""
        plan = self.plan(seed)
        self.read_network(plan)
        self.read_faults(plan)

    def read_network(self, plan: Plan) -> Network:
        """Return the network."""
        return read_network(*tables_of(self.network), plan)

    def read_faults(self, plan: Plan) -> list[Fault]:
        """Return the faults."""
        return read_faults(*tables_of(self.faults), plan)

    def command(self, seed: int) -> str:
        """Return the one command that plays a seed again."""
        words = ["tether", "simulate", str(self.wiring), "--seed", str(seed)]
        for option, path in (("--network", self.network), ("--faults", self.faults)):
            words += [option, str(path)] if path is not None else []
        words += ["--for", f"{self.duration:.15g}s"] if self.duration != HOUR else []
        return shlex.join([*words, *(f"--set={text}" for text in self.sets)])


@dataclass(frozen=True, slots=True)
class Played:
    """A simulation that has ended."""

    simulation: Simulation
    result: Result
    findings: Findings
    began: float
    """When the run began, in seconds of the loop's time."""


def play(setting: Setting, seed: int, trace: Trace | None = None, *, keeps: bool = True) -> Played:
    """Simulate one seed; `keeps` says whether all reports and times of work are kept.

    WiringError says all that is wrong with the wiring, the network or the faults.
    """
    plan = setting.plan(seed)
    network, faults = setting.read_network(plan), setting.read_faults(plan)
    make = partial(Simulation, plan, network, faults, seed=seed, trace=trace, keeps=keeps)
    with first_on_path(plan.folder):
        return virtual.run(_played(make, setting.duration))


async def _played(make: Callable[[], Simulation], duration: float) -> Played:
    simulation = make()  # where its loop runs
    conductor = simulation.conductor()
    try:
        if await conductor.start():
            simulation.chaos.begin()
            simulation.loop.call_later(duration, conductor.stop)
            await conductor.wait()
        await simulation.calm()
        result = await conductor.close()
        simulation.close(result)
    except BaseException:
        simulation.close()
        raise
    return Played(simulation, result, found(simulation, result), conductor.began or 0.0)
