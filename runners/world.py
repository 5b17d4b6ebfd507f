"""A run from Python: `async with World("easgd.toml") as world: ...`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, get_args

from tether.actors.clock import SystemClock
from tether.actors.frames import Origin
from tether.actors.group import Group
from tether.runners.addresses import Addresses, Ports
from tether.runners.conductor import Conductor
from tether.runners.faults import read_faults
from tether.runners.folder import RunFolder
from tether.runners.keys import mint
from tether.runners.launch import refuse_hosts, refuse_what_is_not_here
from tether.runners.linker import link
from tether.runners.members import Here
from tether.runners.network_file import Tables, read_network, tables_of
from tether.runners.process import OUTSIDE, Process, directory
from tether.runners.result import Result
from tether.runners.silence import Silence
from tether.runners.simulation import Simulation
from tether.runners.sockets import SocketFolder
from tether.runners.spec import Plan
from tether.runners.transport import transport
from tether.runners.up import children
from tether.runners.wiring import override, read

T = TypeVar("T")
Kind = Literal["local", "processes", "simulated"]
KINDS = get_args(Kind)
By = Literal["ipc", "tcp"]
WAYS = get_args(By)


class BrokenPromise(RuntimeError):
    """Something did not hold in a simulation that the runtime, or a protocol, promises."""


class World:
    """A wiring's actors, alive for as long as the `async with` block.

    `wiring` is a file, or the same tables in Python, where `actor` may be a class and `make` a
    function. In the world `local` all actors share this process; with `processes` each has its
    own, reached `by` files or, as between hosts, by ports of 127.0.0.1. `folder`, if given, keeps
    the logs and final states. A run that failed raises RuntimeError from `finished()`, or else at
    the end of the block.

    The world `simulated` has virtual time, so the program has to be run by
    `tether.runners.virtual.run`; its network, its faults and the seed of all chance may be given,
    the first two as files or as their tables. At its end `BrokenPromise` says what did not hold.
    """

    def __init__(
        self,
        wiring: Path | str | Mapping[str, Any],
        kind: Kind = "local",
        *,
        sets: Sequence[str] = (),
        folder: Path | str | None = None,
        by: By = "ipc",
        network: Tables | None = None,
        faults: Tables | None = None,
        seed: int | None = None,
    ) -> None:
        if kind not in KINDS:
            known = ", ".join(map(repr, KINDS))
            raise ValueError(f"World: {kind!r} is no world; there are {known}")
        if kind != "simulated" and (network, faults, seed) != (None, None, None):
            raise ValueError(
                f"World: network, faults and seed are of a simulated world, but this is {kind!r}"
            )
        if by not in WAYS or (by != "ipc" and kind != "processes"):
            raise ValueError(
                f"World: by={by!r}, but processes are reached by 'ipc' or by 'tcp', and only those "
                "of a world of processes"
            )
        given = [] if seed is None else [f"run.seed={seed}"]
        self.plan = _linked(wiring, kind, [*sets, *given])
        self.kind = kind
        self.by = by
        self.simulation: Simulation | None = None
        self._given = network, faults, self.plan.run.seed if seed is None else seed
        self.result: Result | None = None
        self._folder = Path(folder) if folder is not None else None
        self._sockets: SocketFolder | None = None
        self._ports: Ports | None = None
        self._process: Process | None = None
        self._told = False

    async def __aenter__(self) -> Self:
        begin = {"local": self._local, "processes": self._processes, "simulated": self._simulated}
        self._conductor = begin[self.kind]()
        try:
            if not await self._conductor.start():
                raise RuntimeError(f"the run could not start: {self._conductor.result.reason}")
            if self.simulation is not None:
                self.simulation.chaos.begin()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._conductor.stop_if_alive()
        await self._close()
        if error is None:
            self._promised()
        if error is None and not self._told:
            self._tell()

    def ref(self, cls: type[T], name: str) -> T:
        """Return a handle on an actor: "center", or "worker/3".

        LookupError when there is none of this name, TypeError when it is of another class.
        """
        spec = self.plan.actor(name)
        node = self._opened("ref").node
        self._check(cls, node.directory.actor_class(spec.name), spec.name)
        ref: T = node.ref(spec.name)
        return ref

    def group(self, cls: type[T], table: str) -> Group[T]:
        """Return a handle on all actors of a table; of one with bounds, on who is there each time.

        LookupError when there is no such table, TypeError when it is of another class.
        """
        process = self._opened("group")
        specs = self.plan.table(table)
        if not specs:
            raise LookupError(f"{self.plan.run.name} has no table [{table}]")
        self._check(cls, process.node.directory.actor_class(specs[0].name), f"[{table}]")
        if table in self.plan.bounds:
            return process.group(table)
        return Group([process.node.ref(spec.name) for spec in specs])

    def _opened(self, what: str) -> Process:
        if self._process is None:
            raise RuntimeError(f"World.{what}: the world is not open; use it inside `async with`")
        return self._process

    def _check(self, cls: type, found: type, name: str) -> None:
        if not issubclass(found, cls):
            raise TypeError(f"{name} is a {found.__name__}, but a {cls.__name__} is wanted")

    async def finished(self) -> None:
        """Wait until every `run()` of an actor that is no service has ended.

        RuntimeError says who failed, if somebody did.
        """
        await self._conductor.wait()
        self._tell()

    def _promised(self) -> None:
        broken = self.simulation.broken if self.simulation is not None else {}
        if broken:
            raise BrokenPromise("; ".join(broken))

    @property
    def failed(self) -> bool:
        """Whether somebody has failed, so that the run is over."""
        return self._conductor.result.outcome == "failed"

    def _tell(self) -> None:
        if self.failed:
            self._told = True
            result = self._conductor.result
            raise RuntimeError("; ".join(filter(None, [result.reason, *result.problems])))

    def _local(self) -> Conductor:
        here = tuple(replace(spec, process=OUTSIDE) for spec in self.plan)
        plan = replace(self.plan, actors=here, hosts={})
        plan = replace(plan, actors=tuple(replace(spec, host="") for spec in here))
        folder = self._run_folder() if self._folder else None
        process = Process(
            Origin("local", OUTSIDE, 1),
            plan,
            directory(plan, {OUTSIDE: OUTSIDE}, OUTSIDE),
            nobody_hears,
            checkpoints=folder.checkpoints if folder else None,
            final=folder.states if folder else None,
            threads=max(spec.threads for spec in plan),
        )
        self._process = process
        return Conductor(plan, lambda _: Here(process), Silence())

    def _processes(self) -> Conductor:
        refuse_hosts(self.plan)
        refuse_what_is_not_here(self.plan, self.plan.home)
        self._sockets = SocketFolder()
        addresses = self._addresses(self._sockets)
        run = SystemClock().token()
        outside = Process(
            Origin(run, OUTSIDE, 1),
            self.plan,
            directory(self.plan, {spec.process: spec.process for spec in self.plan}, OUTSIDE),
            nobody_hears,
            transport=transport(OUTSIDE, 1, addresses, self.plan.run),
        )
        self._process = outside
        folder = self._run_folder()
        make = children(self.plan, folder, addresses, run)
        conductor = Conductor(self.plan, make, Silence(), outside=Here(outside))
        conductor.roster.remember = folder.remember
        return conductor

    def _addresses(self, sockets: SocketFolder) -> Addresses:
        names = [OUTSIDE, *self.plan.processes(self.plan.home)]
        if self.by == "ipc":
            return Addresses(near=sockets.addresses(names))
        self._ports = Ports(names)
        here = "localhost"  # with keys, as between hosts
        hosts = dict.fromkeys(names, here)
        return Addresses(far=self._ports.pairs, hosts=hosts, keyring=mint([here])[here])

    def _simulated(self) -> Conductor:
        network, faults, seed = self._given
        simulation = self.simulation = Simulation(
            self.plan,
            read_network(*tables_of(network), self.plan),
            read_faults(*tables_of(faults), self.plan),
            seed=seed,
        )
        self._process = simulation.world()
        return simulation.conductor()

    def _run_folder(self) -> RunFolder:
        path = self._folder or (self._sockets.path / "run" if self._sockets else None)
        return RunFolder.create(self.plan.run.name, path)

    async def _close(self) -> None:
        try:
            if self.simulation is not None:
                await self.simulation.calm()
            self.result = await self._conductor.close()
        finally:
            self._process = None
            if self.simulation is not None:
                self.simulation.close(self.result)
            if self._ports is not None:
                self._ports.release()
            if self._sockets is not None:
                self._sockets.remove()


def nobody_hears(*_said: Any) -> None:
    """Take what is said before anybody listens."""


def _linked(wiring: Path | str | Mapping[str, Any], kind: str, sets: Sequence[str]) -> Plan:
    if isinstance(wiring, Mapping):
        tables, folder, name = override(wiring, sets), Path.cwd(), "world"
    else:
        path = Path(wiring)
        tables, folder, name = override(read(path), sets), path.parent, path.stem
    return link(tables, folder.absolute(), name=name, importable=kind == "processes")
