"""Local SGD with differences of one bit a number, with or without error feedback.

Lin, Stich, Patel & Jaggi 2020 (1808.07217); Karimireddy et al. 2019 (1901.09847).
Of each tensor:  eᵏ ← eᵏ + c − wᵏ,  s = ‖eᵏ‖₁/n,  q = sign(eᵏ),  eᵏ ← eᵏ − s·q;
c ← c − 1/K Σₖ sₖqₖ,  so that c − mean e is what it would be without compression.
"""

from torch import Tensor, zeros_like

from tether.actors import Ref
from tether.protocols import aggregator, local_sgd
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.rounds import Member, Told
from tether.protocols.share import Share
from tether.protocols.sign import scaled_sign, sizes, unpacked


class Aggregator(aggregator.Aggregator):
    """Averages sₖqₖ."""

    async def hand_signs(
        self, member: Ref[Member], told: Told, q: Tensor, s: Tensor, sizes: list[int]
    ) -> None:
        """Put s·q aside: signs as bits, scales, and the sizes of the tensors they are of."""
        await self.hand(member, told, unpacked(q, s, sizes), None)


class Signed(Share):
    """Hands over signs, and keeps the error e unless told to forget it."""

    def __init__(
        self,
        at: Ref[Aggregator],
        me: Ref[Member],
        learner: Learner,
        patience: float,
        feedback: bool,
    ) -> None:
        super().__init__(at, me, learner.x, patience)
        self.signs, self.sizes, self.feedback = at, sizes(learner), feedback
        self.e = zeros_like(learner.x)

    def difference(self, w: Tensor) -> Tensor:
        """Make e ← e + c − w and take the signs of it."""
        self.e = super().difference(w) + (self.e if self.feedback else 0.0)
        self.q, self.s = scaled_sign(self.e, self.sizes)  # e ← e − s·q
        return self.D

    async def _send(self, told: Told, _: Tensor | None) -> None:
        await self.signs.hand_signs(self.me, told, self.q, self.s, self.sizes)

    state_dict, load_state_dict = kept("c", "base", "due", "e")


class Worker(local_sgd.Worker):
    """With `feedback` local EF-sign SGD; without, and with the optimizer SignSGD, its sign SGD."""

    def __init__(
        self, aggregator: Ref[Aggregator], me: Ref[Member], learner: Learner, steps: int,
        feedback: bool = True, patience: float = 60.0,
    ) -> None:  # fmt: skip
        super().__init__(aggregator, me, learner, steps, patience=patience)
        self.share = Signed(aggregator, me, learner, patience, feedback)
        self.waiting = self.share.waiting
