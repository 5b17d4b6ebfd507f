"""One process's share of a simulated run: the real one, with what the simulation looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tether.actors.cell import Cell
from tether.actors.frames import Origin
from tether.actors.journal import Memory
from tether.runners.medium import Endpoint
from tether.runners.process import Process, Restore
from tether.runners.scope import Scope
from tether.runners.spec import ActorSpec

if TYPE_CHECKING:
    from tether.runners.simulation import Simulation

NEWS_ACTOR = 1e-3
"""Seconds between two tellings of a process, for each actor: one costs as much as all of them."""


class Share(Process):
    """One process's share of a simulated run."""

    def __init__(
        self,
        simulation: Simulation,
        scope: Scope,
        order: Mapping[str, Any],
        say: Callable[..., None],
        journal: Memory,
    ) -> None:
        self.simulation = simulation
        endpoint = Endpoint(simulation.medium, scope.name, scope)
        super().__init__(
            Origin(simulation.run_token, scope.name, order["start"]),
            simulation.plan,
            simulation.places(),
            say,
            checkpoints=simulation.disk,
            final=simulation.final,
            transport=endpoint,
            journal=journal,
            clock=simulation.clock,
            witness=simulation.promises,
        )
        self.news.pause = max(self.news.pause, len(self.plan.actors) * NEWS_ACTOR)
        self._keep, self._record = self.node.keep, self.node.recorded
        self.node.keep, self.node.recorded = self._keeping, self._recording

    def make(self, spec: ActorSpec, restore: Restore, *, by_itself: bool) -> Cell:
        """Make an actor, and show it to the simulation."""
        cell = super().make(spec, restore, by_itself=by_itself)
        self.simulation.returns.made(cell)
        self.simulation.declared.made(cell)
        return cell

    def _keeping(self, cell: Cell, cut: int) -> None:
        self.simulation.returns.keeping(cell, cut)
        self._keep(cell, cut)

    def _recording(self, name: str, step: int | None, metrics: dict[str, float]) -> None:
        cell = self.node.cells.get(name)
        if step is not None and cell is not None:
            self.simulation.returns.reported(name, cell.incarnation, int(step))
        self._record(name, step, metrics)
