"""One process's share of a run: builds its actors, starts, drains and ends them."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from tether.actors.clock import SystemClock
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.group import Group
from tether.actors.node import Node
from tether.actors.packet import Window
from tether.actors.state import dump
from tether.actors.storage import Storage
from tether.actors.transport import Transport
from tether.runners.build import build, find
from tether.runners.folder import state_name
from tether.runners.seeds import seed_everything
from tether.runners.spec import ActorSpec, Plan
from tether.runners.values import Make, leaves

OUTSIDE = "world"
"""Who calls when no actor does: the Python program that holds a World."""

Tell = Callable[..., None]
"""Takes what a process has to say to the run: a word and what belongs to it."""


def directory(plan: Plan, processes: Mapping[str, str], outside: str) -> Directory:
    """Return who lives where, `processes` giving each planned process the name it runs under."""
    places = {spec.name: Place(processes[spec.process], spec.actor, 1, spec.host) for spec in plan}
    return Directory({**places, OUTSIDE: Place(outside, object)})


class Process:
    """The actors of one process, driven by its run: build, go, drain, close."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        specs: tuple[ActorSpec, ...],
        places: Directory,
        run: str,
        tell: Tell,
        *,
        storage: Storage | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.plan = plan
        self.specs = specs
        self.storage = storage
        self.tell = tell
        window = Window(plan.run.messages, plan.run.bytes)
        self.threads = max((spec.threads for spec in specs), default=1)
        clock = SystemClock(plan.run.seed, self.threads)
        self.node = Node(
            Origin(run, name, 1),
            places,
            clock=clock,
            transport=transport,
            window=window,
            recorded=self._recorded,
        )
        self._shared: dict[str, Any] = {}
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._reports: list[list[Any]] = []
        self._steps: dict[str, int] = {}
        self._ticker: asyncio.Task[None] | None = None

    async def build(self) -> None:
        """Listen, import what the actors are made of, and make them."""
        await self.node.start()
        for path in self._paths():
            find(path, self.plan.objects)
        for spec in self.specs:
            seed_everything(spec.seed, self.threads)
            self.node.spawn(spec.name, partial(self._made, spec), spec.device)

    def _paths(self) -> Iterator[str]:
        """Yield all that is to be imported: first of all, so that seeds meet every generator."""
        for spec in self.specs:
            yield spec.actor
            for argument in spec.arguments.values():
                yield from (leaf.path for leaf in leaves(argument) if isinstance(leaf, Make))

    def _made(self, spec: ActorSpec) -> Any:
        def group(names: tuple[str, ...]) -> Group[Any]:
            return Group([self.node.ref(name) for name in names])

        return build(spec, self.node.ref, group, self._shared, self.plan.objects)

    def go(self) -> list[str]:
        """Start every `run()`; return the actors that have none."""
        self._started = self._loop.time()
        self._ticker = self._loop.create_task(self._tick())
        return [name for name, cell in self.node.cells.items() if not cell.live(self._ended)]

    def _ended(self, name: str, error: BaseException | None) -> None:
        self.flush()
        if error is None or isinstance(error, asyncio.CancelledError):
            self.tell("ended", name, "", "")
        else:
            text = "".join(traceback.format_exception(error))
            print(f"{name}: run() failed\n{text}", file=sys.stderr, flush=True)
            self.tell("ended", name, f"{type(error).__name__}: {error}", text)

    def _recorded(self, name: str, step: int | None, metrics: dict[str, float]) -> None:
        if step is not None:
            step = self._steps[name] = int(step)
        self._reports.append([self._loop.time() - self._started, name, step, metrics])

    async def _tick(self) -> None:
        """Tell the run a few times a second what was reported and what has been sent."""
        while True:
            await asyncio.sleep(0.25)
            self.flush()

    def flush(self) -> None:
        """Tell the run what was reported since the last time, and the traffic so far."""
        reports, self._reports = self._reports, []
        sent: dict[str, list[int]] = {}
        for account in self.node.accounts():
            total = sent.setdefault(account["from"], [0, 0])
            total[0] += account["sent"]
            total[1] += account["bytes"]
        self.tell("news", reports, sent)

    async def stop_life(self, *, services_only: bool) -> None:
        """Cancel the `run()` of services, or of all actors; they still handle messages."""
        await asyncio.gather(
            *(
                self.node.cells[spec.name].stop_life()
                for spec in self.specs
                if spec.restart == "permanent" or not services_only
            )
        )

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way from or in this process."""
        return self.node.quiet

    def save(self) -> None:
        """Keep the state of every actor that has one; tell whose could not be kept."""
        for name, cell in self.node.cells.items():
            if self.storage is not None and hasattr(cell.actor, "state_dict"):
                try:
                    self.storage.write(state_name(name), dump(cell.actor.state_dict()))
                except Exception as error:
                    traceback.print_exc()
                    self.tell("unsaved", name, f"{type(error).__name__}: {error}")

    async def close(self) -> dict[str, dict[str, Any]]:
        """Save the final states, end all, and return each actor's books."""
        if self._ticker is not None:
            self._ticker.cancel()
        self.flush()
        records = self.records()
        self.save()
        await self.node.close(0.5)
        return records

    def records(self) -> dict[str, dict[str, Any]]:
        """Return what each actor has done, for the summary."""
        accounts = self.node.accounts()
        return {
            name: {
                "actor": name,
                "pid": os.getpid(),
                "steps": self._steps.get(name, 0),
                "accounts": [account for account in accounts if account["from"] == name],
            }
            for name in self.node.cells
        }
