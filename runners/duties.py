"""What a process of a run does at its agent's word, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tether.actors.succession import Will
from tether.runners.process import Process
from tether.runners.values import GroupOf, leaves


class Duties:
    """Obeys the agent's words one after the other; what takes long goes on beside the next."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._tasks: set[asyncio.Task[None]] = set()

    async def obey(self, word: str, *details: Any) -> None:
        """Do what a word says."""
        await getattr(self, f"_{word}")(*details)

    def _beside(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go(self, names: Sequence[str]) -> None:
        self.process.tell("lives", names, self.process.go(names))

    async def _stop_life(self, services_only: bool) -> None:
        await self.process.stop_life(services_only=services_only)
        self.process.tell("stopped_life")

    async def _quiet(self) -> None:
        self.process.tell("quiet", self.process.quiet)

    async def _round(self, cut: int) -> None:
        self.process.tell("taking", cut, self.process.take_round(cut))

    async def _end_round(self, cut: int) -> None:
        self.process.tell("taking", cut, self.process.end_round(cut))

    async def _resized(self, number: int, why: str) -> None:
        self.process.resized(number, why)

    async def _note(self, number: int) -> None:
        """Say that the changes are known, and that what was sent to who leaves has been handled."""
        if self.process.outstanding:
            self._beside(self._noted(number))
        else:
            self.process.tell("noted", number)

    async def _noted(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.process.plan.run.drain
        while self.process.outstanding and loop.time() < end:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.005)
        self.process.tell("noted", number)

    async def _spawn(self, name: str, incarnation: int, restore: Mapping[str, Any]) -> None:
        """Make an actor in this living process, for the first time or again."""
        process = self.process
        spec = process.specs[name]
        places = process.node.directory
        absent = places.gone.get(name)
        places.add(name, replace(places.place(name), incarnation=incarnation))
        try:
            process.make(spec, restore, by_itself=True)
        except Exception as error:
            if name in process.node.cells:
                await process.node.bury(name)
            if absent is None:
                places.down[name] = "it could not be made"
            else:
                places.gone[name] = absent
            process.tell("unmade", name, f"{type(error).__name__}: {error}")
            return
        process.tell("made", name)

    async def _leave(self, name: str) -> None:
        self._beside(self._left(name))

    async def _left(self, name: str) -> None:
        """End an actor where a step ends, when all that was sent to it is handled."""
        process = self.process
        cell = process.node.cells.get(name)
        if cell is None:
            return  # it has died, and its agent is about to hear of it
        await cell.leave(process.plan.run.graceful)
        end = asyncio.get_running_loop().time() + process.plan.run.drain
        hands_over, turn = hasattr(type(cell.actor), "leaving"), -1
        while await self._settled(name, end) and hands_over and turn != cell.turn:
            turn = cell.turn + 1  # what comes after it is to be handed over too
            cell.post(cell.actor.leaving)
        if name not in process.node.cells:
            return
        process.keeper.keep_final(cell, 0)
        process.keeper.forget(name)
        await process.node.bury(name)
        process.tell("departed", name)

    async def _settled(self, name: str, end: float) -> bool:
        """Wait until an actor has handled what was sent to it; tell whether it has, in time."""
        node, loop = self.process.node, asyncio.get_running_loop()
        rounds = 0
        while rounds < 3 and loop.time() < end and name in node.cells:
            rounds = rounds + 1 if node.settled(name) else 0
            await asyncio.sleep(0.005)
        return rounds == 3 and name in node.cells

    async def _changed(self, changes: Sequence[Mapping[str, Any]]) -> None:
        for change in changes:
            CHANGES[change["what"]](self.process, change)

    async def _close(self, cut: int) -> None:
        await self.process.close(cut)
        self.process.tell("closed")


def _down(process: Process, change: Mapping[str, Any]) -> None:
    wills = change["wills"]
    known = None if wills is None else {name: Will(*will) for name, will in wills.items()}
    process.node.down(change["actor"], change["why"], known, final=change["final"])


def _up(process: Process, change: Mapping[str, Any]) -> None:
    place = process.node.directory.place(change["actor"])
    process.node.up(change["actor"], replace(place, incarnation=change["incarnation"]))


def _ended(process: Process, change: Mapping[str, Any]) -> None:
    """Forget the connections to a process that is dead, whether it comes back or not."""
    node = process.node
    if node.transport is not None and change["process"] != node.origin.process:
        node.transport.renew(change["process"])


def _unreachable(process: Process, change: Mapping[str, Any]) -> None:
    process.node.unreachable(change["actor"], change["why"])


def _reachable(process: Process, change: Mapping[str, Any]) -> None:
    process.node.reachable(change["actor"])


def _joined(process: Process, change: Mapping[str, Any]) -> None:
    process.membership.join(change["actor"])
    _tell_members(process, change["actor"], "joined")


def _left(process: Process, change: Mapping[str, Any]) -> None:
    process.membership.leave(change["actor"])
    _tell_members(process, change["actor"], "left")


def _tell_members(process: Process, actor: str, hook: str) -> None:
    """Tell those of the table, and who holds a group of it."""
    table = actor.partition("/")[0]
    for name, cell in process.node.cells.items():
        if name != actor and hasattr(type(cell.actor), hook) and _cares(process, name, table):
            cell.post(getattr(cell.actor, hook), process.node.ref(actor))


def _cares(process: Process, name: str, table: str) -> bool:
    spec = process.specs[name]
    groups = (leaf for value in spec.arguments.values() for leaf in leaves(value))
    holds = any(isinstance(leaf, GroupOf) and leaf.live_table == table for leaf in groups)
    return holds or spec.table == table


CHANGES: Mapping[str, Callable[[Process, Mapping[str, Any]], None]] = {
    "down": _down,
    "up": _up,
    "ended": _ended,
    "renewed": _ended,
    "unreachable": _unreachable,
    "reachable": _reachable,
    "joined": _joined,
    "left": _left,
}
