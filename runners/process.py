"""One process's share of a run: builds its actors, starts, drains and ends them."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from tether.actors.cell import Cell
from tether.actors.checkpoint import Checkpoints
from tether.actors.clock import Clock, SystemClock
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.group import Group, live_group
from tether.actors.journal import Journal, Key
from tether.actors.membership import Membership, table_of
from tether.actors.node import Node
from tether.actors.packet import Window
from tether.actors.restoring import alone
from tether.actors.storage import MemoryStorage, Storage
from tether.actors.transport import Transport
from tether.actors.witness import Witness
from tether.runners.blame import innocent
from tether.runners.build import build, find
from tether.runners.codecs import ways
from tether.runners.keeper import Keeper, Tell
from tether.runners.news import News
from tether.runners.seeds import seed_everything
from tether.runners.spec import ActorSpec, Plan
from tether.runners.supervision import Supervision
from tether.runners.values import GroupOf, Make, leaves

OUTSIDE = "world"
"""Who calls when no actor does: the Python program that holds a World."""

Restore = Mapping[str, Sequence[int] | None]
"""Who is to be brought back, and to which rounds of checkpoints: None for the newest there is."""


def places(plan: Plan, processes: Mapping[str, str], outside: str) -> dict[str, Place]:
    """Return who lives where, `processes` giving each planned process the name it runs under."""
    found = {spec.name: Place(processes[spec.process], spec.actor, 1, spec.host) for spec in plan}
    return {**found, OUTSIDE: Place(outside, object)}


def directory(plan: Plan, processes: Mapping[str, str], outside: str) -> Directory:
    """Return the directory that a process begins with."""
    return Directory(places(plan, processes, outside))


class Process:
    """The actors of one process, driven by its run: build, go, drain, close."""

    def __init__(
        self,
        origin: Origin,
        plan: Plan,
        places: Directory,
        tell: Tell,
        *,
        checkpoints: Storage | None = None,
        final: Storage | None = None,
        transport: Transport | None = None,
        journal: Journal | None = None,
        threads: int = 1,
        clock: Clock | None = None,
        witness: Witness | None = None,
    ) -> None:
        self.plan, self.tell, self.threads = plan, tell, threads
        self.specs = {spec.name: spec for spec in plan}
        self.membership = Membership({})
        self.node = Node(
            origin,
            places,
            clock=clock or SystemClock(plan.run.seed, threads),
            transport=transport,
            window=Window(plan.run.messages, plan.run.bytes),
            journal=journal,
            recorded=self._recorded,
            witness=witness,
            ways=ways(plan),
        )
        self.node.calls.group = self.group
        classes = {spec.name: spec.actor for spec in plan}
        kept = Checkpoints(checkpoints or MemoryStorage())
        self.keeper = Keeper(self.node, classes, kept, final, self._say)
        self.news = News(self.node, self._say)
        self._shared: dict[str, Any] = {}
        self._loop = asyncio.get_running_loop()
        self._own: dict[str, Supervision] = {}
        self._resizing: dict[int, asyncio.Future[None]] = {}
        self._ending = False

    def _say(self, word: str, *details: Any) -> None:
        self.tell(word, *details)

    def _supervision(self, name: str) -> Supervision:
        """Return what says when a life that another's death has ended begins again."""
        if name not in self._own:
            random = self.node.clock.random(f"restarts of {name}")
            seconds = self.specs[name].max_seconds
            self._own[name] = Supervision("permanent", 0, seconds, random)
        return self._own[name]

    def enter(self, snapshot: Mapping[str, Any]) -> None:
        """Learn how all actors are at this moment."""
        places = self.node.directory
        for name, incarnation in snapshot["incarnations"].items():
            if places.place(name).incarnation != incarnation:
                places.add(name, replace(places.place(name), incarnation=incarnation))
        places.down.update(snapshot["down"])
        places.gone.update(snapshot["gone"])
        places.gone.update(dict.fromkeys(snapshot["off"], "it takes no part at present"))
        self.membership.join(*snapshot["present"])

    async def build(self, names: Sequence[str], restore: Restore, solo: Container[str]) -> None:
        """Listen, import what the actors are made of, and make them.

        Those who are `solo` join, or come back into, a run that went on without them.
        """
        await self.node.start()
        specs = [self.specs[name] for name in names]
        for path in _paths(specs):
            find(path, self.plan.objects)
        for spec in specs:
            self.make(spec, restore, by_itself=spec.name in solo)

    def make(self, spec: ActorSpec, restore: Restore, *, by_itself: bool) -> Cell:
        """Make an actor, brought back to where it was if that is wanted."""
        seed_everything(spec.seed, self.threads)
        with alone() if by_itself else nullcontext():
            cell = self.node.spawn(spec.name, partial(self._made, spec), spec.device)
        try:
            if spec.name in restore:
                self.keeper.restore(cell, restore[spec.name], by_itself=by_itself)
            else:  # whoever had its name before it is not gone on from
                self.keeper.forget(spec.name)
            self.keeper.prepare(cell)
        except BaseException:
            self.node.lose(spec.name).abort()
            raise
        return cell

    def _made(self, spec: ActorSpec) -> Any:
        return build(spec, self.node.ref, self._group, self._shared, self.plan.objects)

    def _group(self, value: GroupOf) -> Group[Any]:
        if value.live_table:
            return self.group(value.live_table, value.without)
        return Group([self.node.ref(name) for name in value.names])

    def group(self, table: str, without: str = "") -> Group[Any]:
        """Return the group of those present in a table, whoever that is at the time."""
        return live_group(table, self.membership, self.node.ref, self.resize, without)

    async def resize(self, table: str, size: int) -> None:
        """Have the run bring a table to so many actors; ValueError says why it may not."""
        number = len(self._resizing) + 1
        while number in self._resizing:
            number += 1
        done = self._resizing[number] = self._loop.create_future()
        self._say("resize", number, table, size)
        try:
            await done
        finally:
            del self._resizing[number]

    def resized(self, number: int, why: str) -> None:
        """Hear that a table has the size that was wanted, or why it has not."""
        done = self._resizing.get(number)
        if done is not None and not done.done():
            done.set_exception(ValueError(why)) if why else done.set_result(None)

    def go(self, names: Sequence[str]) -> list[str]:
        """Start the `run()` of actors; return those that have none."""
        self.news.begin()
        return [name for name in names if not self.node.cells[name].live(self._ended)]

    def _ended(self, name: str, error: BaseException | None) -> None:
        self.news.report()
        permanent = self.specs[name].restart == "permanent" and not self._ending
        if error is None and permanent:
            self._crashed(name, "its run() has returned, but it is permanent", "")
        elif error is None or isinstance(error, asyncio.CancelledError) or self._ending:
            self._say("ended", name, error is None)
        elif innocent(error, self.node.directory):
            delay = self._supervision(name).died(self.node.clock.now(), innocent=True) or 0.0
            self._say("bereaved", name, str(error), delay)
            self._loop.call_later(delay, self._live_again, name)
        else:
            text = "".join(traceback.format_exception(error))
            print(f"{name}: run() failed\n{text}", file=sys.stderr, flush=True)
            self._crashed(name, f"{type(error).__name__}: {error}", text)

    def _live_again(self, name: str) -> None:
        """Go on with a life that another's death has ended: nothing of it is lost."""
        if not self._ending and name in self.node.cells:
            self.node.cells[name].live(self._ended)

    def _crashed(self, name: str, why: str, trace: str) -> None:
        async def bury() -> None:
            if name in self.node.cells:
                await self.node.bury(name)
            self._say("crashed", name, why, trace)

        self.news.tasks.add(task := self._loop.create_task(bury()))
        task.add_done_callback(self.news.tasks.discard)

    def _recorded(self, name: str, step: int | None, metrics: dict[str, float]) -> None:
        if step is not None:
            step = self.keeper.steps[name] = int(step)
            cell = self.node.cells.get(name)  # none while it is being made
            known = cell or self.node.directory.place(name)
            self.node.switch.journal.row(Key(name, known.incarnation))[0] = max(0, step)
        self.news.add(name, step, metrics)

    async def stop_life(self, *, services_only: bool) -> None:
        """Cancel the `run()` of services, or of all actors; they still handle messages."""
        self._ending = True
        cells = self.node.cells
        await asyncio.gather(
            *(
                cells[name].stop_life()
                for name in list(cells)
                if self.specs[name].restart == "permanent" or not services_only
            )
        )

    def take_round(self, cut: int) -> list[str]:
        """Begin a round of checkpoints; return whose `run()` has to come to its next report."""
        cells = list(self.node.cells.values())
        for cell in cells:
            cell.due = cut
        return [cell.name for cell in cells if cell.lives and self.keeper.knows(cell.name)]

    def end_round(self, cut: int) -> list[str]:
        """Have the others keep their states too; return their names."""
        cells = [cell for cell in self.node.cells.values() if cell.passive]
        for cell in cells:
            cell.keep_soon(cut)
        return [cell.name for cell in cells if self.keeper.knows(cell.name)]

    @property
    def outstanding(self) -> bool:
        """Whether something that was sent to an actor which leaves is not yet handled."""
        return any(
            not link.out.quiet and self._leaves(link.remote)
            for link in self.node.switch.links.values()
        )

    def _leaves(self, actor: str) -> bool:
        """Whether an actor is counted out of its table, but is still there."""
        table = table_of(actor)
        bounded = table in self.plan.bounds
        absent = self.node.directory.absent(actor)
        return bounded and not absent and actor not in self.membership.members(table)

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way from or in this process."""
        return self.node.quiet

    async def close(self, cut: int) -> None:
        """Save the final states, as of a last round of checkpoints, and end all."""
        self._ending = True
        self.news.end()
        await self.keeper.finish()
        for cell in self.node.cells.values():
            self.keeper.keep_final(cell, cut)
        self.keeper.close()
        await self.node.close(0.5)


def _paths(specs: Sequence[ActorSpec]) -> Iterator[str]:
    """Yield all that is to be imported: first of all, so that seeds meet every generator."""
    for spec in specs:
        yield spec.actor
        for argument in spec.arguments.values():
            yield from (leaf.path for leaf in leaves(argument) if isinstance(leaf, Make))
