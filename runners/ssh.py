"""Starts the agents of all other hosts by ssh; they call home, and end with their connection."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tether.runners.addresses import split
from tether.runners.spec import Plan

COMMAND = "TETHER_SSH"
"""The environment's name of the command to use, with its options."""
DEFAULT = "ssh -o BatchMode=yes"
PATIENCE = 3.0
"""Seconds in which an agent is to end by itself, and then without its connection."""


class Ssh:
    """The connections through which the agents of a run were started: they last as long as it."""

    def __init__(
        self,
        plan: Plan,
        wiring: Path,
        options: Sequence[str],
        tell: Callable[[str], None],
        outer: Mapping[str, str] | None = None,
    ) -> None:
        outer = os.environ if outer is None else outer
        self.plan = plan
        self.command = shlex.split(outer.get(COMMAND, DEFAULT))
        self.tell = tell
        self._agent = [sys.executable, "-m", "tether.runners", "up", str(wiring), *options]
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def describe(self, host: str) -> list[str]:
        """Return the command that starts a host's agent."""
        machine = split(self.plan.hosts[host])[0].strip("[]")
        agent = shlex.join([*self._agent, "--host", host, "--attached"])
        return [*self.command, machine, f"cd {shlex.quote(str(Path.cwd()))} && exec {agent}"]

    async def submit(self, failed: Callable[[str, str], None]) -> None:
        """Start an agent on each host but home; `failed` hears of who ends, and why."""
        for host in self.plan.hosts:
            if host != self.plan.home:
                # In a session of its own, so that a Ctrl-C is for home alone.
                process = self._processes[host] = await asyncio.create_subprocess_exec(
                    *self.describe(host),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
                self._tasks.append(asyncio.ensure_future(self._logs(host, process, failed)))

    async def _logs(
        self,
        host: str,
        process: asyncio.subprocess.Process,
        failed: Callable[[str, str], None],
    ) -> None:
        """Pass on what an agent says, and tell of its end."""
        assert process.stdout is not None
        async for line in process.stdout:
            self.tell(f"{host}: {line.decode(errors='replace').rstrip()}")
        code = await process.wait()
        failed(host, f"{self.command[0]} to host {host} has ended with code {code}")

    async def cancel(self) -> None:
        """End all connections, and with them the agents that have not ended by themselves."""
        await self._wait()
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        await self._wait()
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
        await self._wait()

    async def _wait(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)
