"""What the runtime promises of those who come back: to the last checkpoint, and no further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from tether.actors.cell import Cell
from tether.actors.checkpoint import Checkpoints, name
from tether.runners.promises import Broken
from tether.runners.restart import Restart


class Kept(NamedTuple):
    """How far an incarnation was when its state was copied: calls handled, its last step."""

    incarnation: int
    handled: int
    step: int


class Returns:
    """Follows every incarnation from its making to its death, and compares what is told of it.

    `handled` counts the calls that each incarnation has handled.
    """

    def __init__(
        self, checkpoints: Checkpoints, handled: Counter[tuple[str, int]], broken: Broken
    ) -> None:
        self.checkpoints = checkpoints
        self.handled = handled
        self.broken = broken
        self._lives: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._steps: dict[tuple[str, int], int] = {}
        self._begun: dict[tuple[str, int], int] = {}
        """The step that each incarnation went on from."""
        self._kept: dict[tuple[str, int], Kept] = {}
        self._newest: dict[str, int] = {}

    def made(self, cell: Cell) -> None:
        """See an incarnation made: a later one than all before it."""
        actor, life = cell.name, self._lives.get(cell.name, 0)
        if cell.incarnation <= life:
            self.broken(f"{actor} was made as incarnation {cell.incarnation} after {life}")
        self._before[actor], self._lives[actor] = life, cell.incarnation
        newest = self._newest[actor] = max(self.checkpoints.rounds(actor), default=0)
        kept = self._kept.get((actor, newest))
        self._begun[actor, cell.incarnation] = kept.step if kept is not None else 0

    def reported(self, actor: str, incarnation: int, step: int) -> None:
        """See a step reported."""
        self._steps[actor, incarnation] = max(0, step)

    def keeping(self, cell: Cell, cut: int) -> None:
        """See a state about to be copied for a checkpoint."""
        life = cell.name, cell.incarnation
        self._kept[cell.name, cut] = Kept(
            cell.incarnation, self.handled[life], self._steps.get(life, self._begun.get(life, 0))
        )

    def restarted(self, restart: Restart) -> None:
        """Hear what is told of a return, and compare it with what was seen."""
        actor, round_ = restart.actor, self._newest.get(restart.actor, 0)
        expected = name(actor, round_) if round_ else ""
        if restart.checkpoint != expected:
            found = restart.checkpoint or "afresh"
            self.broken(f"{actor} came back from {found}, but its last is {expected or 'none'}")
            return
        life = self._before.get(actor, 0)
        told = {"messages": restart.rolled_back_messages, "steps": restart.rolled_back_steps}
        for what, count in self._undone(actor, life, self._kept.get((actor, round_))).items():
            if told[what] != count:
                self.broken(
                    f"{actor} came back as incarnation {restart.incarnation}: {told[what]} {what} "
                    f"are told to be rolled back, but {count} are"
                )

    def _undone(self, actor: str, life: int, kept: Kept | None) -> Mapping[str, int]:
        """Return what an incarnation had done since a state was kept, or since it was made."""
        handled, step = self.handled[actor, life], self._steps.get((actor, life), 0)
        if kept is None:
            return {"messages": handled, "steps": step}
        same = kept.handled if kept.incarnation == life else 0
        return {"messages": handled - same, "steps": max(0, step - kept.step)}
