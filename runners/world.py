"""A run from Python: `async with World("easgd.toml") as world: ...`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from tether.actors.clock import SystemClock
from tether.actors.node import Node
from tether.actors.zeromq import ZeroMQ
from tether.runners.conductor import Conductor, Result
from tether.runners.folder import RunFolder
from tether.runners.launch import refuse_what_is_not_here
from tether.runners.linker import link
from tether.runners.members import Here, Member
from tether.runners.process import OUTSIDE, Process, directory
from tether.runners.sockets import SocketFolder
from tether.runners.spec import Plan
from tether.runners.up import children
from tether.runners.wiring import override, read

T = TypeVar("T")


class World:
    """A wiring's actors, alive for as long as the `async with` block.

    `wiring` is a file, or the same tables in Python, where `actor` may be a class and `make` a
    function. In the world `local` all actors share this process; with `processes` each has its
    own. `folder`, if given, keeps the logs and final states. A run that failed raises RuntimeError
    from `finished()`, or else at the end of the block.
    """

    def __init__(
        self,
        wiring: Path | str | Mapping[str, Any],
        kind: Literal["local", "processes"] = "local",
        *,
        sets: Sequence[str] = (),
        folder: Path | str | None = None,
    ) -> None:
        if kind not in {"local", "processes"}:
            raise ValueError(f"World: {kind!r} is no world; there are 'local' and 'processes'")
        self.plan = _linked(wiring, kind, sets)
        self.kind = kind
        self.result: Result | None = None
        self._folder = Path(folder) if folder is not None else None
        self._sockets: SocketFolder | None = None
        self._node: Node | None = None
        self._told = False

    async def __aenter__(self) -> Self:
        members = self._local() if self.kind == "local" else self._processes()
        self._conductor = Conductor(self.plan, members, Silence())
        try:
            if not await self._conductor.start():
                raise RuntimeError(f"the run could not start: {self._conductor.result.reason}")
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
        if error is None and not self._told:
            self._tell()

    def ref(self, cls: type[T], name: str) -> T:
        """Return a handle on an actor: "center", or "worker/3".

        LookupError when there is none of this name, TypeError when it is of another class.
        """
        if self._node is None:
            raise RuntimeError("World.ref: the world is not open; use it inside `async with`")
        spec = self.plan.actor(name)
        found = self._node.directory.actor_class(spec.name)
        if not issubclass(found, cls):
            raise TypeError(f"{spec.name} is a {found.__name__}, but a {cls.__name__} is wanted")
        ref: T = self._node.ref(spec.name)
        return ref

    async def finished(self) -> None:
        """Wait until every `run()` of an actor that is no service has ended.

        RuntimeError says who failed, if somebody did.
        """
        await self._conductor.wait()
        self._tell()

    @property
    def failed(self) -> bool:
        """Whether somebody has failed, so that the run is over."""
        return self._conductor.result.outcome == "failed"

    def _tell(self) -> None:
        if self.failed:
            self._told = True
            raise RuntimeError(self._conductor.result.reason)

    def _local(self) -> list[Member]:
        places = directory(self.plan, dict.fromkeys(self.plan.processes(), OUTSIDE), OUTSIDE)
        storage = self._run_folder().states if self._folder else None
        process = Process(
            OUTSIDE, self.plan, self.plan.actors, places, "local", nobody_hears, storage=storage
        )
        self._node = process.node
        return [Here(process)]

    def _processes(self) -> list[Member]:
        refuse_what_is_not_here(self.plan)
        self._sockets = SocketFolder()
        processes = list(self.plan.processes())
        addresses = self._sockets.addresses([OUTSIDE, *processes])
        run = SystemClock().token()
        places = directory(self.plan, {name: name for name in processes}, OUTSIDE)
        transport = ZeroMQ(OUTSIDE, 1, addresses)
        outside = Process(OUTSIDE, self.plan, (), places, run, nobody_hears, transport=transport)
        self._node = outside.node
        others = children(self.plan, self._run_folder(), addresses, run)
        return [Here(outside), *others]

    def _run_folder(self) -> RunFolder:
        path = self._folder or (self._sockets.path / "run" if self._sockets else None)
        return RunFolder.create(self.plan.run.name, path)

    async def _close(self) -> None:
        try:
            self.result = await self._conductor.close()
        finally:
            self._node = None
            if self._sockets is not None:
                self._sockets.remove()


class Silence:
    """An audience that shows nothing."""

    def started(self, actor: str, pid: int) -> None:
        """See an actor made."""

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        """See a report."""

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002 - the unit
        """See what an actor has sent so far."""

    def ended(self, actor: str) -> None:
        """See an actor's `run()` end."""


def nobody_hears(*_said: Any) -> None:
    """Take what is said before anybody listens."""


def _linked(wiring: Path | str | Mapping[str, Any], kind: str, sets: Sequence[str]) -> Plan:
    if isinstance(wiring, Mapping):
        tables, folder, name = override(wiring, sets), Path.cwd(), "world"
    else:
        path = Path(wiring)
        tables, folder, name = override(read(path), sets), path.parent, path.stem
    return link(tables, folder.absolute(), name=name, importable=kind == "processes")
