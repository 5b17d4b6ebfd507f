"""`tether up` at home: run a wiring file, show it, and leave a run directory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from tether.actors.clock import SystemClock
from tether.actors.keyring import Keyring
from tether.runners.addresses import Addresses, hosts_by_process, processes
from tether.runners.audience import Audience
from tether.runners.conductor import Conductor
from tether.runners.environment import child_environment
from tether.runners.folder import RunFolder
from tether.runners.home import Home
from tether.runners.members import Child, Member
from tether.runners.metrics import MetricsFile
from tether.runners.recorder import Recorder
from tether.runners.result import Result, Start
from tether.runners.sockets import SocketFolder
from tether.runners.spec import Plan
from tether.runners.ssh import Ssh
from tether.runners.summary import ActorRecord, summarise

EXIT = {"finished": 0, "stopped": 0, "failed": 1, "interrupted": 130}
WRONG = 2
"""The exit code of all hosts where nothing was started."""


def children(
    plan: Plan, folder: RunFolder, addresses: Addresses, run: str, host: str = ""
) -> Callable[[str], Member]:
    """Return what makes a host's processes by name, not yet started.

    `run` is the token all frames of the run bear.
    """
    base = {
        "plan": plan.to_wire(),
        "addresses": addresses.to_wire(),
        "run": run,
        "state": str(folder.states.path),
        "checkpoints": str(folder.checkpoints.path),
        "logs": str(folder.logs),
    }
    here = plan.processes(host or plan.home)

    def make(name: str) -> Member:
        specs = here[name]
        log = name if len(specs) > 1 else specs[0].name.replace("/", "-")
        return Child(name, base, folder.logs / f"{log}.log", child_environment(specs))

    return make


@dataclass(slots=True)
class Up:
    """One run, from its plan to its summary, as home conducts it."""

    plan: Plan
    folder: RunFolder
    show: Audience
    duration: float | None = None
    start: Start = field(default_factory=Start)
    ssh: Ssh | None = None
    keyring: Keyring | None = None

    async def run(self) -> Result:
        """Run it; whatever happens, no process and no socket file is left."""
        with contextlib.ExitStack() as stack:
            # Signals are obeyed to the very end, so that no second Ctrl-C comes between.
            stack.enter_context(obeyed_signals(lambda: conductor))
            metrics = MetricsFile(self.folder.path / "metrics.jsonl")
            stack.callback(metrics.close)
            stack.callback(self.folder.remove_agent)
            self.folder.write_agent()
            sockets = SocketFolder()
            stack.callback(sockets.remove)
            recorder = Recorder(metrics, self.show, lambda: conductor.t)
            plan, run = self.plan, SystemClock().token()
            near = sockets.addresses(plan.processes(plan.home))
            addresses = Addresses(near, processes(plan), hosts_by_process(plan), self.keyring)
            home = Home(plan, self.folder, run, self.start, told, keyring=self.keyring)
            make = home.members(children(plan, self.folder, addresses, run))
            conductor = Conductor(plan, make, recorder, start=self.start)
            conductor.roster.remember = self.folder.remember
            result = await over_all_hosts(conductor, home, self.duration, self.ssh)
            self._keep(result, recorder)
        return result

    def _keep(self, result: Result, recorder: Recorder) -> None:
        """Bring to disk what is known of the run; a full disk is a reason, not a crash."""
        try:
            recorder.metrics.close()
            self._summarise(result, recorder)
        except OSError as error:
            result.outcome = "failed"
            result.problems.append(f"the run's records could not be kept: {error}")

    def _summarise(self, result: Result, recorder: Recorder) -> None:
        summary = summarise(
            result.outcome,
            [cast("ActorRecord", record) for record in result.records.values()],
            seconds=result.seconds,
            reason="; ".join(filter(None, [result.reason, *result.problems])),
            accuracy=recorder.accuracy,
            restarts=recorder.restarts,
            gave_up=recorder.gave_up_on,
            stalls=recorder.stalls,
            membership=recorder.membership,
            peaks=recorder.peaks,
        )
        summary.write(self.folder.path)


def told(sentence: str) -> None:
    """Tell the user of a run something; a terminal that is gone is no reason to fail."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


async def over_all_hosts(
    conductor: Conductor, home: Home, duration: float | None, ssh: Ssh | None = None
) -> Result:
    """Conduct a run to its end on all hosts; the others learn of the end on any way out."""
    await home.open(conductor)
    code = WRONG
    try:
        if ssh is not None:
            await ssh.submit(home.abandoned)
        result = await conducted(conductor, duration, home.gather)
        code = EXIT[result.outcome]
        await home.dismiss(code)
        return result
    finally:
        await home.close(code)
        if ssh is not None:
            await ssh.cancel()


async def everybody_is_here() -> bool:
    """Wait for no other host."""
    return True


async def conducted(
    conductor: Conductor,
    duration: float | None,
    gathered: Callable[[], Awaitable[bool]] = everybody_is_here,
) -> Result:
    """Conduct a run to its end, and end it too when something unforeseen is raised."""
    try:
        if await gathered() and await conductor.start():
            return await conductor.finish(duration)
    except BaseException:
        conductor.stop()
        await conductor.close()
        raise
    return await conductor.close()


@contextlib.contextmanager
def obeyed_signals(conductor: Callable[[], Conductor]) -> Iterator[None]:
    """Let Ctrl-C interrupt the run, `tether stop` end it, and a second Ctrl-C kill it."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, conductor().kill)
        conductor().interrupt()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, lambda: conductor().stop())
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)
