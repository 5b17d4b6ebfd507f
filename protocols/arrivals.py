"""What has come of each step of the others: how far behind what one uses may be."""

from __future__ import annotations

from asyncio import Event, timeout
from contextlib import suppress
from typing import Any

from torch import Tensor

from tether.actors import ActorGone, oneway
from tether.actors.restoring import together
from tether.protocols.keeping import part
from tether.protocols.patience import bounded
from tether.protocols.sumweight import Weighed


class Arrivals:
    """The clocks of the parcels that have come, of which one is awaited for each step.

    What has not come after `patience` seconds is missed: that is what `--resume` has lost, or what
    somebody sends who stands still. It is merged if it comes after all. Who comes into a run that
    goes on waits for none of them: what was sent before is lost.
    """

    def __init__(self, patience: float = 60.0) -> None:
        self.patience = bounded(patience)
        self.upto = 0
        """All steps before this one have come, or are missed."""
        self.missed = 0
        """How many steps were given up."""
        self.beyond: set[int] = set()
        self.bounded = together.get()
        self._more = Event()

    def add(self, t: int) -> None:
        """Note a parcel of step t."""
        if t >= self.upto:
            self.beyond.add(t)
        self._move_on()
        self._more.set()

    def unbound(self) -> None:
        """Wait for nothing any more: somebody has died, and what it had sent may be lost."""
        self.bounded = False
        self._more.set()

    async def until(self, t: int) -> None:
        """Wait until all steps up to t have come, if they have to, or until that takes too long."""
        with suppress(TimeoutError):
            async with timeout(self.patience):
                while self.bounded and self.upto <= t:
                    self._more.clear()
                    await self._more.wait()
                return
        self.missed += sum(step not in self.beyond for step in range(self.upto, t + 1))
        self.beyond = {step for step in self.beyond if step > t}
        self.upto = t + 1
        self._move_on()

    def _move_on(self) -> None:
        while self.upto in self.beyond:
            self.beyond.remove(self.upto)
            self.upto += 1

    def state_dict(self) -> dict[str, Any]:
        """Return which steps have come."""
        beyond = sorted(self.beyond)
        return {"upto": self.upto, "beyond": beyond, "bounded": self.bounded, "missed": self.missed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with all others; who comes back alone waits for nothing."""
        if together.get():
            self.upto, self.beyond = part(state, "upto"), set(part(state, "beyond"))
            self.bounded, self.missed = part(state, "bounded"), part(state, "missed")


class Awaiting(Weighed):
    """A peer with a weight that waits for what is too far behind, as long as nobody dies."""

    arrivals: Arrivals

    @oneway
    async def push(self, x: Tensor, a: float, t: int) -> None:
        """Queue what another one has given away at its step t."""
        await super().push(x, a, t)
        self.arrivals.add(t)

    async def down(self, peer: Any, why: Exception) -> None:  # noqa: ARG002 - as it is called
        """Wait for nothing any more when somebody has died."""
        if isinstance(why, ActorGone):
            self.arrivals.unbound()
