"""`tether up`: run a wiring file on this machine, show it, and leave a run directory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from tether.actors.clock import SystemClock
from tether.runners.addresses import Addresses
from tether.runners.audience import Audience
from tether.runners.conductor import Conductor
from tether.runners.environment import child_environment
from tether.runners.folder import RunFolder
from tether.runners.members import Child, Member
from tether.runners.metrics import MetricsFile
from tether.runners.recorder import Recorder
from tether.runners.result import Result, Start
from tether.runners.sockets import SocketFolder
from tether.runners.spec import Plan
from tether.runners.summary import ActorRecord, summarise

EXIT = {"finished": 0, "stopped": 0, "failed": 1, "interrupted": 130}


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
    processes = plan.processes(host or plan.home)

    def make(name: str) -> Member:
        specs = processes[name]
        log = name if len(specs) > 1 else specs[0].name.replace("/", "-")
        return Child(name, base, folder.logs / f"{log}.log", child_environment(specs))

    return make


@dataclass(slots=True)
class Up:
    """One run on this machine, from its plan to its summary."""

    plan: Plan
    folder: RunFolder
    show: Audience
    duration: float | None = None
    start: Start = field(default_factory=Start)

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
            addresses = Addresses(sockets.addresses(self.plan.processes(self.plan.home)))
            make = children(self.plan, self.folder, addresses, SystemClock().token())
            conductor = Conductor(self.plan, make, recorder, start=self.start)
            conductor.roster.remember = self.folder.remember
            result = await conducted(conductor, self.duration)
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


async def conducted(conductor: Conductor, duration: float | None) -> Result:
    """Conduct a run to its end, and end it too when something unforeseen is raised."""
    try:
        if await conductor.start():
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
