"""What one learner comes to alone: SGD, MSGD, ASGD and MVASGD.

The sequential baselines of Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD",
NeurIPS 2015 (1412.6651), section 5. MSGD is Nesterov's momentum δ: v ← δv − ηg(x + δv), x ← x + v.
"""

from torch import Tensor

from tether.actors import report
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.momentum import Nesterov
from tether.protocols.polyak import Polyak


class SGD(Learning):
    """x ← x − ηg(x), and with δ > 0 MSGD."""

    def __init__(self, learner: Learner, steps: int, delta: float = 0.0) -> None:
        self.learner, self.steps = learner, steps
        self.local, self.t = Nesterov(learner, delta), 0

    @property
    def x(self) -> Tensor:
        """Its x, which nobody else has: it comes back with that of its checkpoint."""
        return self.learner.x

    async def run(self) -> None:
        """Make the steps that are left."""
        for t in range(self.t, self.steps):
            await self._step()
            self.t = t + 1
            report(step=self.t, loss=self.learner.loss)

    async def _step(self) -> None:
        await self.local.step(await self.local.gradient())

    state_dict, load_state_dict = kept("t", "local", "x")


class Averaged(SGD):
    """SGD to be evaluated at z ← (1 − a)z + ax, which takes each x before its step.

    a = 1/(t+1) at the clock t (ASGD), or a constant, the paper's 0.001 (MVASGD).
    """

    def __init__(self, learner: Learner, steps: int, a: float | None = None) -> None:
        super().__init__(learner, steps)
        self.average = Polyak(learner.x, a)

    async def pull(self) -> Tensor:
        """Return z."""
        return self.average.z

    async def _step(self) -> None:
        await self.learner.compute(self.average.fold, self.learner.x)
        await super()._step()

    state_dict, load_state_dict = kept("t", "local", "x", "average")
