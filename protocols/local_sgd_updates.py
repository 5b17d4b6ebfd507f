"""Local SGD that sends the updates it has made, u = Σ γ∇f(w), instead of c − w.

Lin, Stich, Patel & Jaggi, "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020 (1808.07217).
c − w has the roundings of w in it and u has not: with H = 1, and γ and K powers of two, this is
synchronous SGD to the last bit. For SGD without momentum and weight decay.
"""

from torch import Tensor

from tether.actors import Ref
from tether.protocols import local_sgd
from tether.protocols.aggregator import Aggregator
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.rounds import Member
from tether.protocols.share import Share


class Updates(Share):
    """Hands over the sum of a round's updates."""

    async def join(self) -> Tensor:
        """Take the consensus as it is; nothing has been done since."""
        self.D.zero_()
        return await super().join()

    def difference(self, w: Tensor) -> Tensor:  # noqa: ARG002
        """Return u."""
        return self.D

    def take(self) -> Tensor:
        """Go on from the consensus that has come, with u ← 0."""
        self.D.zero_()
        return super().take()

    state_dict, load_state_dict = kept("c", "base", "due", "D")


class Worker(local_sgd.Worker):
    """The worker of `local_sgd`, that adds up its updates."""

    def __init__(
        self, aggregator: Ref[Aggregator], me: Ref[Member], learner: Learner, steps: int,
        patience: float = 60.0,
    ) -> None:  # fmt: skip
        super().__init__(aggregator, me, learner, steps, patience=patience)
        groups = learner.optimizer.param_groups if learner.optimizer else []
        if any(group.get(name) for group in groups for name in ("momentum", "weight_decay")):
            raise ValueError("the optimizer has momentum or weight decay, but plain SGD is wanted")
        self.share = Updates(aggregator, me, learner.x, patience)
        self.waiting = self.share.waiting

    async def _step(self) -> None:
        g = await self.learner.gradient()
        await self.learner.compute(self.share.D.add_, g, alpha=self.learner.eta)  # u ← u + γg
        await self.learner.step(g)
