"""Home's side of a run over several hosts: who is there, who is lost, and how it ends for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tether.actors.clock import Clock, SystemClock
from tether.actors.keyring import Keyring
from tether.runners.addresses import of_agents
from tether.runners.conductor import Conductor
from tether.runners.distant import Distant
from tether.runners.exchange import Exchange, Packet, Trunk
from tether.runners.folder import RunFolder
from tether.runners.hello import differences, hello
from tether.runners.host import Host
from tether.runners.liveness import LATE
from tether.runners.members import Member
from tether.runners.problems import WiringError, listed
from tether.runners.result import Start
from tether.runners.spec import Plan
from tether.runners.transport import transport

ACKNOWLEDGED = 0.5
"""Seconds in which the last words to the other hosts have to leave."""


class Home:
    """The agents of all other hosts; without other hosts it does nothing."""

    conductor: Conductor

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        run: str,
        start: Start,
        tell: Callable[[str], None],
        clock: Clock | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self.plan = plan
        self.keyring = keyring
        self.folder = folder
        self.run = run
        self.begin = start
        self.tell = tell
        self.clock = clock or SystemClock(plan.run.seed)
        self.hosts = {name: Host(name, self) for name in plan.hosts if name != plan.home}
        self.refused: list[str] = []
        self._exchange: Exchange | None = None
        self._looking: asyncio.Task[None] | None = None
        self._looked = 0.0

    def members(self, here: Callable[[str], Member]) -> Callable[[str], Member]:
        """Return what makes the processes of all hosts, by what makes those of this one."""
        places = {name: host for host in self.hosts for name in self.plan.processes(host)}

        def make(name: str) -> Member:
            host = places.get(name)
            return here(name) if host is None else Distant(name, self.hosts[host])

        return make

    async def open(self, conductor: Conductor) -> None:
        """Listen to the agents of the other hosts, from now on."""
        self.conductor = conductor
        if not self.hosts:
            return
        plan = self.plan
        network = transport(plan.home, 1, of_agents(plan, self.keyring), plan.run)
        exchange = Exchange(plan.home, self.clock, network, self._take, self._renewed)
        await exchange.start()
        self._exchange = exchange
        self._looked = self.clock.now()
        self._looking = asyncio.ensure_future(self._look())

    async def gather(self) -> bool:
        """Wait for the agents of all hosts; tell whether all are there and the run is not over.

        Raises WiringError when one has other sources, TimeoutError when one does not come.
        """
        if self._missing():
            self.tell(f"waiting for {self._wanted()}")
        try:
            async with asyncio.timeout(self.plan.run.wait):
                await self.conductor.until(lambda: not self._missing() or bool(self.refused))
        except TimeoutError:
            raise TimeoutError(
                f"[hosts]: within {self.plan.run.wait:g} s nothing was heard of {self._wanted()}"
            ) from None
        if self.refused:
            raise WiringError(self.refused)
        return not self.conductor.over.is_set()

    def abandoned(self, name: str, why: str) -> None:
        """Hear from what has started an agent that it has ended: this matters only at the start."""
        if name in self._missing() and self.conductor.began is None:
            self.refused.append(f"[hosts]: {why} before its agent called")
            self.conductor.changed()

    def _missing(self) -> list[str]:
        """Return the hosts that have actors, but no agent that answers."""
        wanted = {spec.host for spec in self.plan}
        return [h for h, host in self.hosts.items() if h in wanted and not host.answered]

    def _wanted(self) -> str:
        missing = self._missing()
        how = ", ".join(map(self._how, missing))
        return f"host{'s' if len(missing) > 1 else ''} {listed(missing)} ({how})"

    def _how(self, name: str) -> str:
        if self.hosts[name].trunk is None:
            return f"tether up … --host {name}"
        return f"{name} has called, but is not reached at {self.plan.hosts[name]}"

    def _take(self, packet: Packet) -> None:
        host = self.hosts.get(packet.host)
        if host is None:
            self.tell(f"a host {packet.host!r} wants to take part, but [hosts] has none such")
        elif packet.word == "hello":
            self._greet(host, packet.session, packet.body)
        elif host.trunk is None or packet.session != host.trunk.session:
            self._send(host.name, packet.session, "stranger", [])
        elif packet.word == "line":
            self._answered(host)
            self._hear(host, host.trunk.take(packet))

    def _answered(self, host: Host) -> None:
        host.silent = 0.0
        if not host.answered:
            host.answered = True
            self.tell(f"host {host.name} is here")

    def _hear(self, host: Host, messages: list[Any]) -> None:
        try:
            for word, *details in messages:
                host.take(word, *details)
        except Exception as error:  # as a full disk, under what is sent home
            self.conductor.fail(
                f"what host {host.name} said could not be kept: {type(error).__name__}: {error}"
            )
        self.conductor.changed()

    def _send(self, host: str, to: str, word: str, body: Any) -> None:
        assert self._exchange is not None
        self._exchange.send(host, to, word, body)

    def _greet(self, host: Host, session: str, said: Mapping[str, Any]) -> None:
        if host.trunk is not None and host.trunk.session == session:
            host.trunk.again()
            return
        assert self._exchange is not None
        self._exchange.transport.renew(host.name)
        wrong = differences(hello(self.plan), said, self.plan.home, host.name)
        if wrong:
            self._refuse(host, session, wrong)
            return
        if host.trunk is not None:
            self.lose(host, f"the agent of host {host.name} was started anew")
        trunk = Trunk(self._exchange, host.name, session)
        host.call(trunk)
        begun = self.conductor.began is not None
        rounds = None if begun else {a: max(n or [0]) for a, n in self.begin.restore.items()}
        trunk.put("welcome", self.run, self.folder.path.name, rounds)

    def _refuse(self, host: Host, session: str, wrong: list[str]) -> None:
        for sentence in wrong:
            self.tell(f"host {host.name} was refused: {sentence}")
        self._send(host.name, session, "refused", wrong)
        if self.conductor.began is None:
            self.refused += wrong
            self.conductor.changed()

    def _renewed(self, name: str) -> None:
        host = self.hosts.get(name)
        if host is not None and host.trunk is not None:
            host.trunk.again()

    async def _look(self) -> None:
        """Give signs of life, and look who gives none, but for time in which nobody looked."""
        beat, lost = self.plan.run.beat, self.plan.run.lost
        while True:
            await asyncio.sleep(beat)
            now = self.clock.now()
            passed, self._looked = min(now - self._looked, LATE * beat), now
            for host in self.hosts.values():
                if host.trunk is None:
                    continue
                host.trunk.beat()
                host.silent += passed
                if host.silent > lost + LATE * beat:  # its agent has ended all before that
                    self.lose(host, f"nothing was heard of host {host.name} for {lost:g} s")

    def lose(self, host: Host, why: str) -> None:
        """See a host die: all its processes with it, until it has an agent again."""
        if host.trunk is None:
            return
        assert self._exchange is not None
        self._exchange.transport.renew(host.name)
        if not self.conductor.ending and not host.done:
            self.tell(f"host {host.name} is lost: {why}")
        host.lost(why)
        self.conductor.changed()

    async def dismiss(self, code: int) -> None:
        """Tell all agents that the run has ended, and take in what their actors have left.

        Who cannot wait for that kills the run: then the others end all the same.
        """
        for host in self._there():
            assert host.trunk is not None
            host.trunk.put("bye", code)
        while (waited := self._undone()) and not self.conductor.killed:
            await asyncio.sleep(min(0.05, self.plan.run.beat))
            for host in waited:
                if host.silent > self.plan.run.unreachable:
                    self.conductor.result.problems.append(
                        f"host {host.name} was not there at the end: what its actors left is there"
                    )
                    self.lose(host, "it was not there at the end")

    def _undone(self) -> list[Host]:
        return [host for host in self._there() if not host.done]

    def _there(self) -> list[Host]:
        return [host for host in self.hosts.values() if host.trunk is not None]

    async def close(self, code: int) -> None:
        """End it; an agent that was not dismissed is told so, as far as it can be reached."""
        if self._looking is not None:
            self._looking.cancel()
        for host in self._there():
            assert host.trunk is not None
            if not host.done:
                host.trunk.put("bye", code)
            host.trunk.beat()
        if self._exchange is not None:
            await self._exchange.close(ACKNOWLEDGED)
