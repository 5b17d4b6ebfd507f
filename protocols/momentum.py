"""The local step of Algorithm 2 in "Deep learning with Elastic Averaging SGD": momentum."""

from typing import Any

from torch import Tensor, add, zeros_like

from tether.protocols.keeping import fill, part
from tether.protocols.learner import Learner


class Nesterov:
    """v ← δv − ηg(x + δv), x ← x + v, with η and weight decay the learner's optimizer's.

    v is kept in units of −η, so that the optimizer makes the step. With δ = 0 there is no v.
    """

    def __init__(self, learner: Learner, delta: float) -> None:
        if not 0 <= delta < 1:
            raise ValueError(f"delta is {delta}, but a momentum from 0 to below 1 is wanted")
        self.learner, self.delta = learner, delta
        self.v = zeros_like(learner.x) if delta else None

    async def gradient(self) -> Tensor:
        """Return g(x + δv), on the next batch."""
        if self.v is None:
            return await self.learner.gradient()
        ahead = -self.learner.eta * self.delta
        at = await self.learner.compute(add, self.learner.x, self.v, alpha=ahead)
        return await self.learner.gradient(at)

    async def step(self, g: Tensor) -> None:
        """Move x by the velocity that this gradient changes."""
        if self.v is not None:
            g = await self.learner.compute(lambda v: v.mul_(self.delta).add_(g), self.v)
        await self.learner.step(g)

    def state_dict(self) -> dict[str, Any]:
        """Return v and all that the learner's next steps depend on."""
        return {"v": self.v, "learner": self.learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; v begins at zero where the state has none, having had δ = 0."""
        self.learner.load_state_dict(part(state, "learner"))
        if self.v is not None and part(state, "v") is not None:
            fill("v", self.v, state["v"])
