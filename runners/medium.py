"""The simulated network at work: what becomes of each packet on its way between two processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tether.actors.transport import Receiver
from tether.runners.network import ANY, Network, Route, Rule
from tether.runners.scope import Scope
from tether.runners.trace import Trace
from tether.runners.virtual import VirtualLoop

Deliver = Callable[[Receiver], None]
FRAME, CHUNK = 0, 1


@dataclass(slots=True)
class Count:
    """What went over an edge: packets and bytes that were sent, and what became of packets."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0


class Edge:
    """The way from one process to another: control and bulk each keep their order."""

    def __init__(self, ends: tuple[str, str], random: Random) -> None:
        self.ends = ends
        self.random = random
        self.count = Count()
        self.free = [0.0, 0.0]
        """When control and bulk have left what was sent before, in seconds."""
        self.last = [0.0, 0.0]
        """When what was sent last arrives."""
        self.route = Route()
        self.draw = self.route.latency.sampler(random)
        self.cut = False

    def set(self, route: Route, *, cut: bool) -> None:
        """Have packets fare like this from now on."""
        if route.latency != self.route.latency:
            self.draw = route.latency.sampler(self.random)
        self.route, self.cut = route, cut


@dataclass(slots=True, eq=False)
class Trouble:
    """What a fault does to the packets between some, as long as it lasts: `cut` or worse keys."""

    rules: tuple[Rule, ...]
    cut: bool = False


@dataclass(slots=True)
class Medium:
    """Carries packets between the endpoints that listen at the moment.

    `names` gives by what names each process is called; `seed` seeds the stream of each edge.
    """

    network: Network
    names: Mapping[str, Collection[str]]
    loop: VirtualLoop
    seed: int
    trace: Trace | None = None
    resend_after: float | None = None
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    context: Context = field(default_factory=copy_context)
    """Nobody's: what is under way arrives whatever becomes of its sender."""

    def edge(self, source: str, target: str) -> Edge:
        """Return the way from one process to another."""
        ends = source, target
        edge = self.edges.get(ends)
        if edge is None:
            edge = self.edges[ends] = Edge(ends, Random(f"{self.seed}/{source} -> {target}"))
            self._set(edge)
        return edge

    def _set(self, edge: Edge) -> None:
        source, target = (self.names.get(end, (ANY,)) for end in edge.ends)
        route, cut = self.network.route(source, target), False
        for trouble in self.troubles:
            for rule in trouble.rules:
                if rule.fits(source, target):
                    route, cut = replace(route, **rule.keys), cut or trouble.cut
        edge.set(route, cut=cut)

    def begin(self, trouble: Trouble) -> None:
        """Have packets fare worse from now on."""
        self.troubles.append(trouble)
        self._renew()

    def end(self, trouble: Trouble) -> None:
        """Have them fare as without it."""
        self.troubles.remove(trouble)
        self._renew()

    def _renew(self) -> None:
        for edge in self.edges.values():
            self._set(edge)

    def carry(
        self, edge: Edge, kind: int, deliver: Deliver, said: bytes, data: bytes | None = None
    ) -> None:
        """Take a packet; it arrives when its time has come, once, twice or never."""
        size = len(said) + (0 if data is None else len(data))
        count, route, random, now = edge.count, edge.route, edge.random, self.loop.time()
        count.packets += 1
        count.bytes += size
        if self.trace is not None:
            self.trace.packet(now, edge.ends, size, said, data)
        if edge.cut or (route.loss and random.random() < route.loss):
            count.lost += 1
            self._note(now, edge, "lost")
            return
        left = edge.free[kind] = max(now, edge.free[kind]) + size / route.bandwidth
        time = left + edge.draw()
        if route.reorder and random.random() < route.reorder:
            count.late += 1
            time += random.random() * route.late
            self._note(now, edge, "late")
        else:
            time = edge.last[kind] = max(time, edge.last[kind])
        self.loop.call_at(time, self._arrive, edge, deliver, context=self.context)
        if route.duplicate and random.random() < route.duplicate:
            count.doubled += 1
            self._note(now, edge, "doubled")
            time += random.random() * route.late
            self.loop.call_at(time, self._arrive, edge, deliver, context=self.context)

    def _note(self, now: float, edge: Edge, what: str) -> None:
        if self.trace is not None:
            self.trace.event(now, what, *edge.ends)

    def _arrive(self, edge: Edge, deliver: Deliver) -> None:
        """Hand a packet to whoever listens under the target's name by now."""
        endpoint = self.endpoints.get(edge.ends[1])
        if endpoint is None or endpoint.receiver is None:
            edge.count.lost += 1
            self._note(self.loop.time(), edge, "unheard")
        elif endpoint.scope is None:
            deliver(endpoint.receiver)
        elif endpoint.scope.stopped or endpoint.scope.since == self.loop.time():
            # It waits in the process's own socket, behind all that has waited there.
            self.loop.call_soon(deliver, endpoint.receiver, context=endpoint.scope.context)
        else:
            endpoint.scope.context.run(deliver, endpoint.receiver)


class Endpoint:
    """The transport of one simulated process; without a scope that of the world outside."""

    shares = False

    def __init__(self, medium: Medium, process: str, scope: Scope | None = None) -> None:
        self.medium = medium
        self.process = process
        self.scope = scope
        self.receiver: Receiver | None = None
        self.resend_after = medium.resend_after
        self._edges: dict[str, Edge] = {}

    async def start(self, receiver: Receiver) -> None:
        """Begin to take in what comes."""
        self.receiver = receiver
        self.medium.endpoints[self.process] = self

    def _edge(self, process: str) -> Edge:
        edge = self._edges.get(process)
        if edge is None:
            edge = self._edges[process] = self.medium.edge(self.process, process)
        return edge

    def send(self, process: str, frame: bytes) -> None:
        """Carry a frame to a process, never behind bulk."""
        if self.receiver is not None:
            edge = self._edge(process)
            self.medium.carry(edge, FRAME, _Frame(frame), frame)

    def send_chunk(self, process: str, header: bytes, data: memoryview) -> None:
        """Carry a chunk of a large part."""
        if self.receiver is not None:
            copy = bytes(data)  # the sender may write its memory as soon as this has returned
            edge = self._edge(process)
            self.medium.carry(edge, CHUNK, _Chunk(header, copy), header, copy)

    def loans(self, process: str) -> None:
        """Lend nothing: what the network carries it may lose."""

    def renew(self, process: str, addresses: tuple[str, str] | None = None) -> None:
        """Nothing is connected here: who listens under a name gets what is sent to it."""

    async def close(self, linger: float) -> None:  # noqa: ARG002 - a Transport's
        """Take in nothing more, and send nothing."""
        self.cut()

    def cut(self) -> None:
        """Be deaf and dumb from now on, as a process that was killed."""
        self.receiver = None
        if self.medium.endpoints.get(self.process) is self:
            del self.medium.endpoints[self.process]


class _Frame:
    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __call__(self, receiver: Receiver) -> None:
        receiver.frame(self.data)


class _Chunk:
    __slots__ = ("data", "header")

    def __init__(self, header: bytes, data: bytes) -> None:
        self.header = header
        self.data = data

    def __call__(self, receiver: Receiver) -> None:
        receiver.chunk(self.header, memoryview(self.data))


def total(edges: Iterable[Edge]) -> Count:
    """Return what went over some edges, taken together."""
    whole: dict[str, Any] = dict.fromkeys(Count.__slots__, 0)
    for edge in edges:
        for name in whole:
            whole[name] += getattr(edge.count, name)
    return Count(**whole)
