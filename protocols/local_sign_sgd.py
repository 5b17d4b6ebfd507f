"""Local SGD with differences of one bit a number, with or without error feedback.

Lin, Stich, Patel & Jaggi 2020 (1808.07217); Karimireddy et al. 2019 (1901.09847).
Of each tensor:  eᵏ ← eᵏ + c − wᵏ,  s = ‖eᵏ‖₁/n,  q = sign(eᵏ),  eᵏ ← eᵏ − s·q;
c ← c − 1/K Σₖ sₖqₖ,  so that c − mean e is what it would be without compression.
"""

from torch import Tensor

from tether.actors import Ref
from tether.protocols import aggregator, local_sgd
from tether.protocols.learner import Learner
from tether.protocols.rounds import Member, Told
from tether.protocols.sign import Residual, unpacked


class Aggregator(aggregator.Aggregator):
    """Averages sₖqₖ."""

    async def hand_signs(
        self, member: Ref[Member], told: Told, q: Tensor, s: Tensor, sizes: list[int]
    ) -> bool:
        """Put s·q aside: signs as bits, scales, and the sizes of the tensors they are of."""
        return await self.hand(member, told, unpacked(q, s, sizes), None)


class Worker(local_sgd.Worker):
    """With `feedback` local EF-sign SGD; without, and with the optimizer SignSGD, its sign SGD."""

    def __init__(
        self, aggregator: Ref[Aggregator], me: Ref[Member], learner: Learner, steps: int,
        feedback: bool = True, patience: float = 60.0,
    ) -> None:  # fmt: skip
        super().__init__(aggregator, me, learner, steps, patience=patience)
        self.share = Residual(aggregator, me, learner, patience, feedback)
        self.waiting = self.share.waiting
