"""The states of a process's actors: kept in rounds while it runs, brought back, kept at the end."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tether.actors.cell import Cell
from tether.actors.checkpoint import About, Checkpoints, name
from tether.actors.node import Node
from tether.actors.restoring import alone
from tether.actors.snapshot import Snapshot
from tether.actors.state import pieces
from tether.actors.storage import Storage
from tether.runners.folder import state_name
from tether.runners.wills import handled

Tell = Callable[..., None]
"""Takes what a process has to say to the run: a word and what belongs to it."""


class Keeper:
    """Keeps and brings back states: copied in the loop, written by a thread of its own."""

    def __init__(
        self,
        node: Node,
        classes: Mapping[str, str],
        checkpoints: Checkpoints,
        final: Storage | None,
        tell: Tell,
    ) -> None:
        self.node = node
        self.classes = classes
        self.checkpoints = checkpoints
        self.final = final
        self.tell = tell
        self.steps: dict[str, int] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._writes: set[asyncio.Future[None]] = set()
        self._writer = node.clock.executor("writer")
        node.keep = self.keep

    def knows(self, actor: str) -> bool:
        """Whether an actor has a state that is kept in rounds."""
        return actor in self._snapshots

    def prepare(self, cell: Cell) -> None:
        """Make memory for an actor's state, so that the first copy is as fast as all others."""
        if has_state(cell):
            snapshot = self._snapshots.setdefault(cell.name, Snapshot())
            snapshot.prepare(cell.actor.state_dict())

    def keep(self, cell: Cell, cut: int) -> None:
        """Copy an actor's state as it is now, and have it written."""
        snapshot = self._snapshots.get(cell.name)
        if snapshot is None or snapshot.busy:
            self.tell("kept", cell.name, cut)  # without a state, or with one that is still written
            return
        about = self._about(cell, cut)
        try:
            state = snapshot.take(cell.actor.state_dict())
        except Exception as error:
            self._unsaved(cell.name, error)
            return
        loop = asyncio.get_running_loop()
        write = loop.run_in_executor(self._writer, self._written, snapshot, about, state)
        self._writes.add(write)
        self.tell("took", cell.name, cut)
        write.add_done_callback(lambda done: self._done(done, about))

    def _about(self, cell: Cell, cut: int) -> About:
        rows = list(self.node.switch.journal.rows())
        return About(
            actor=cell.name,
            cls=self.classes[cell.name],
            incarnation=cell.incarnation,
            round=cut,
            step=self.steps.get(cell.name, 0),
            handled=handled(rows, cell.name, cell.incarnation),
        )

    def _written(self, snapshot: Snapshot, about: About, state: Any) -> None:
        try:
            self.checkpoints.write(about, state)
            snapshot.prepare(state)  # what had no place yet, as an optimizer's first momentum
        finally:
            snapshot.release()

    def _done(self, write: asyncio.Future[None], about: About) -> None:
        self._writes.discard(write)
        error = write.exception()
        if isinstance(error, Exception):
            self._unsaved(about.actor, error)
        else:
            self.tell("kept", about.actor, about.round)

    def _unsaved(self, actor: str, error: Exception) -> None:
        traceback.print_exception(error)
        self.tell("unsaved", actor, f"{type(error).__name__}: {error}")

    def restore(self, cell: Cell, rounds: Sequence[int] | None, *, by_itself: bool) -> None:
        """Bring an actor back to its newest good checkpoint, or to one of these rounds.

        `by_itself` says that the others have gone on without it.
        """
        if not has_state(cell):
            return
        found = self.checkpoints.newest(cell.name, self.classes[cell.name], self._refused, rounds)
        if found is None and rounds is not None:
            raise ValueError(
                f"{cell.name}: its checkpoint of round {rounds[0]} is not there any more"
            )
        if found is None:
            return
        about, state = found
        if by_itself:
            with alone():
                cell.actor.load_state_dict(state)
        else:
            cell.actor.load_state_dict(state)
        self.steps[cell.name] = about.step
        cell.cut = about.round
        counts = dict(about.handled)
        file = name(about.actor, about.round)
        self.tell("restored", cell.name, file, about.incarnation, about.step, counts)

    def _refused(self, sentence: str) -> None:
        print(sentence, flush=True)
        self.tell("refused", sentence)

    async def finish(self) -> None:
        """Wait for what is being written."""
        if self._writes:
            await asyncio.wait(self._writes)

    def keep_final(self, cell: Cell, cut: int) -> None:
        """Keep the state an actor ends with, as of a last round; tell if that failed."""
        if self.final is None or not hasattr(cell.actor, "state_dict"):
            return
        try:
            about = self._about(cell, cut if has_state(cell) else 0)
            state = pieces(cell.actor.state_dict(), about.metadata)
            self.final.write(state_name(cell.name), state)
        except Exception as error:
            self._unsaved(cell.name, error)

    def forget(self, actor: str) -> None:
        """Remove the checkpoints of an actor that has left: who joins by its name begins anew."""
        self._snapshots.pop(actor, None)
        self.checkpoints.forget(actor, self.checkpoints.rounds(actor))

    def close(self) -> None:
        """End the thread that writes."""
        self._writer.shutdown(wait=False)


def has_state(cell: Cell) -> bool:
    """Whether an actor can be brought back: it gives its state, and takes it."""
    return hasattr(cell.actor, "state_dict") and hasattr(cell.actor, "load_state_dict")
