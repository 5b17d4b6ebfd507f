"""DOWNPOUR SGD with a period τ: Dean et al., NeurIPS 2012, as compared with EASGD in 1412.6651."""

from torch import Tensor, sub

from tether.actors import Ref, report
from tether.protocols.elastic import added
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner, Learning
from tether.protocols.overlap import Waiting, period


class Center:
    """Holds the center variable x̃, and counts in t the updates made to it."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.t = x.detach().clone(), 0

    async def pull(self) -> Tensor:
        """Return x̃."""
        return self.x

    async def dated(self) -> tuple[int, Tensor]:
        """Return t and x̃."""
        return self.t, self.x

    async def push(self, v: Tensor) -> int:
        """Make x̃ ← x̃ + v, and return the t before it."""
        added(self.x, v)
        self.t += 1
        return self.t - 1

    state_dict, load_state_dict = kept("x", "t")


class Worker(Learning):
    """A local learner xⁱ that adds its last τ steps to x̃, and goes on from what x̃ is then."""

    def __init__(self, center: Ref[Center], learner: Learner, tau: int, steps: int) -> None:
        self.center, self.learner, self.tau, self.steps = center, learner, period(tau), steps
        self.start, self.seen, self.behind = learner.x.clone(), 0, 0
        self.t, self.waiting = 0, Waiting()

    async def run(self) -> None:
        """Make the local steps that are left, from x̃ on or from the x resumed with."""
        await self.learner.begin(self._pulled)
        for t in range(self.t, self.steps):
            if t % self.tau == 0:
                v = await self.learner.compute(sub, self.learner.x, self.start)  # v = −Σ ηg(xⁱ)
                self.behind = await self.waiting.on(self.center.push(v)) - self.seen
                await self.learner.apply(Tensor.copy_, await self._pulled())  # xⁱ ← x̃, v ← 0
            await self.learner.step(await self.learner.gradient())  # xⁱ ← xⁱ − ηg(xⁱ)
            self.t, waited = t + 1, self.waiting.seconds
            report(step=self.t, loss=self.learner.loss, behind=self.behind, waited=waited)

    async def _pulled(self) -> Tensor:
        self.seen, x = await self.waiting.on(self.center.dated())
        return await self.learner.compute(self.start.copy_, x)

    state_dict, load_state_dict = kept("t", "seen", "start", "learner")  # alone, it comes back at x̃
