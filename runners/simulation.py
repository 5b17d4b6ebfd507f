"""A whole run in one process: its real shares, on a simulated network, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from tether.actors.checkpoint import Checkpoints
from tether.actors.directory import Directory
from tether.actors.frames import Origin
from tether.actors.journal import Memory
from tether.actors.link import Link
from tether.actors.storage import MemoryStorage
from tether.runners.chaos import Chaos
from tether.runners.conductor import Conductor
from tether.runners.declared import Declared
from tether.runners.faults import Fault, Victims
from tether.runners.gauge import Disagreement, Staleness
from tether.runners.medium import Endpoint, Medium
from tether.runners.members import Here
from tether.runners.network import Network, names_of
from tether.runners.process import OUTSIDE, Process, places
from tether.runners.promises import Promises
from tether.runners.result import Result
from tether.runners.returns import Returns
from tether.runners.scope import Scope
from tether.runners.share import Share
from tether.runners.simulated import Simulated
from tether.runners.spec import ActorSpec, Plan
from tether.runners.tally import Tally
from tether.runners.trace import Trace
from tether.runners.virtual import VirtualLoop
from tether.runners.virtual_clock import VirtualClock

CHECK_EVERY = 500
CHECK_EVERY_ACTOR = 50
"""Callbacks after which what reads all state is checked again: at least, and for each actor."""
PATIENCE = 20.0
"""Seconds of calm after which nothing that was handled may be unacknowledged."""
MOST_BROKEN = 20
"""Broken promises that are kept; after these a run is bad enough."""


class Work(NamedTuple):
    """A piece of work that takes time: whose, what, and from when to when, in seconds."""

    actor: str
    work: str
    begins: float
    ends: float


class Simulation:
    """The world of one simulated run; everything in it is drawn from `seed`.

    It has to be made where a `VirtualLoop` runs. `broken` gathers a sentence for each promise that
    did not hold; `keeps` says whether all reports and all times of work are kept.
    """

    def __init__(
        self,
        plan: Plan,
        network: Network,
        faults: Sequence[Fault] = (),
        *,
        seed: int = 0,
        trace: Trace | None = None,
        keeps: bool = True,
    ) -> None:
        self.loop = virtual_loop()
        self.names = {n: names_of(specs) for n, specs in _by_process(plan).items()}
        self.plan = replace(plan, hosts={}, actors=tuple(replace(s, host="") for s in plan))
        self._places = places(plan, {spec.process: spec.process for spec in plan}, OUTSIDE)
        self.network = network
        self.seed = seed
        self.trace = trace
        self.broken: dict[str, None] = {}
        self.slowness: list[tuple[Victims, float]] = []
        self.keeps = keeps
        self.work: list[Work] = []
        self.clock = VirtualClock(self.loop, seed, network.cost, self._pace, self)
        resends = bool(faults) or any(rule.loses for rule in network.rules)
        self.medium = Medium(
            network, self.names, self.loop, seed, trace, network.resend if resends else None
        )
        self.disk, self.final = MemoryStorage(), MemoryStorage()
        self.checkpoints = Checkpoints(self.disk)
        self.members: dict[str, Simulated] = {}
        self.outside: Process | None = None
        self.chaos = Chaos(self, faults)
        self._ending = False
        self._starts = count(1)
        self._watch(plan)

    def _watch(self, plan: Plan) -> None:
        """Begin to hold what is promised and declared against what happens, and to measure."""
        self.promises = Promises(self.clock.now, self.break_)
        self.returns = Returns(self.checkpoints, self.promises.handled_by, self.break_)
        self.tally = Tally(self.clock.now, self.returns.restarted, every=self.keeps)
        flights = self.promises.flights
        self.declared = Declared(plan, self.clock.now, self.actors, flights, self.break_)
        self.promises.returned = self.declared.answered
        self.staleness = Staleness(self.clock.random("samples of staleness"))
        self.promises.aged = self.staleness.add
        self.disagreement = Disagreement()
        self.loop.checks.append(self.check)
        self.loop.check_every = max(CHECK_EVERY, CHECK_EVERY_ACTOR * len(self.plan.actors))

    def break_(self, sentence: str) -> None:
        """Note that a promise did not hold."""
        if len(self.broken) < MOST_BROKEN:
            self.broken.setdefault(f"at {self.clock.now():.6g} s: {sentence}")
        self.note(f"broken: {sentence}")

    def note(self, text: str) -> None:
        """Have something in the trace."""
        if self.trace is not None:
            self.trace.event(self.clock.now(), text)

    def _pace(self, actor: str) -> float:
        factor = 1.0
        for victims, times in self.slowness:
            factor *= times if actor in victims else 1.0
        return factor

    def before(self, name: str, work: str) -> None:
        """See a piece of an actor's work about to be computed."""
        self.declared.before(name, work)

    def after(self, name: str, work: str) -> None:
        """See it computed."""
        self.declared.after(name, work)

    def took(self, name: str, work: str, begins: float, ends: float) -> None:
        """Keep from when to when it is taken to last."""
        if self.keeps:
            self.work.append(Work(name, work, begins, ends))

    def member(self, name: str) -> Simulated:
        """Return a process that is not yet started."""
        random = self.clock.random(f"process {name} {next(self._starts)}")
        network = self.network
        member = self.members[name] = Simulated(
            name,
            self.loop,
            self._share,
            network.start.sampler(random),
            network.line.sampler(random),
        )
        return member

    def _share(
        self, scope: Scope, order: Mapping[str, Any], say: Callable[..., None], journal: Memory
    ) -> Process:
        return Share(self, scope, order, say, journal)

    def world(self) -> Process:
        """Return the share of the program outside, which has no actors."""
        origin = Origin(self.run_token, OUTSIDE, 1)
        self.outside = Process(
            origin,
            self.plan,
            self.places(),
            nobody_hears,
            transport=Endpoint(self.medium, OUTSIDE),
            clock=self.clock,
            witness=self.promises,
        )
        return self.outside

    @property
    def run_token(self) -> str:
        """What all frames of the run bear."""
        return f"{self.seed:016x}"

    def places(self) -> Directory:
        """Return who lives where, for one process to keep up to date."""
        return Directory(self._places)

    def lose_checkpoints(self, process: str) -> None:
        """Forget the checkpoints of the actors of a process."""
        for spec in self.plan:
            if spec.process == process:
                self.checkpoints.forget(spec.name, self.checkpoints.rounds(spec.name))

    def living(self) -> list[Process]:
        """Return all shares that are alive."""
        members = [m for m in self.members.values() if m.process and not m.scope.killed]
        shares = [member.process for member in members if member.process is not None]
        return shares if self.outside is None else [*shares, self.outside]

    def actors(self) -> dict[str, Any]:
        """Return all actors that are alive, as they are."""
        return {
            name: cell.actor for share in self.living() for name, cell in share.node.cells.items()
        }

    def check(self) -> None:
        """Hold what the runtime promises against how all is now."""
        for member in self.members.values():
            scope, process = member.scope, member.process
            if process is not None and not scope.stopped and not scope.killed:
                self.promises.in_time(process.node.calls.waits(), scope.since)
        if not self._ending:  # actors end one after the other then, which is no death
            self.declared.check()
            self.disagreement.look(self.clock.now(), self.actors())

    def conductor(self) -> Conductor:
        """Return what conducts the run, as it does a real one."""
        return Conductor(
            self.plan,
            self.member,
            self.tally,
            outside=Here(self.outside) if self.outside is not None else None,
            clock=self.clock,
        )

    async def calm(self) -> None:
        """Let nothing go wrong any more, and see all that was handled acknowledged."""
        self.chaos.end()
        self.check()
        end, since = self.clock.now() + PATIENCE, dict[tuple[Link, int], float]()
        while (unsaid := self._unsaid()) and (now := self.clock.now()) < end:
            since = {each: since.get(each, now) for each in unsaid}
            await asyncio.sleep(PATIENCE / 100)
        silent = [each[0] for each in unsaid if end - since.get(each, end) > PATIENCE / 2]
        self.promises.silent(silent, self._idle)
        self._ending = True

    def _idle(self, actor: str) -> bool:
        cells = (share.node.cells.get(actor) for share in self.living())
        return any(cell is not None and cell.idle for cell in cells)

    def _unsaid(self) -> list[tuple[Link, int]]:
        """Return what waits for an acknowledgement, and up to which call."""
        links = [link for share in self.living() for link in share.node.switch.links.values()]
        return [(link, link.out.next_number) for link in links if not link.out.quiet]

    def close(self, result: Result | None = None) -> None:
        """End all that is still there, and compare the books of a run that has ended with all."""
        self.loop.checks.remove(self.check)
        self.tally.end()
        if result is not None:
            self.check()
            drained = result.outcome in {"finished", "stopped"} and not result.problems
            records = result.records.values()
            books = [account for record in records for account in record["accounts"]]
            self.promises.accounted(books, drained=drained)
            for member in self.members.values():
                if member.closed and member.process is not None:
                    self.promises.ended(member.process.node.calls.waits())
        for member in self.members.values():
            member.scope.kill()


def virtual_loop() -> VirtualLoop:
    """Return the running loop; raises RuntimeError unless its time is virtual."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError(
            f"a simulated world has a time of its own, but a {type(loop).__name__} runs; begin "
            "with tether.runners.virtual.run(main())"
        )
    return loop


def _by_process(plan: Plan) -> dict[str, list[ActorSpec]]:
    found: dict[str, list[ActorSpec]] = {}
    for spec in plan:
        found.setdefault(spec.process, []).append(spec)
    return found


def nobody_hears(*_said: Any) -> None:
    """Take what is said before anybody listens."""
