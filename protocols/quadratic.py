"""The null learner: a noisy quadratic, whose steps have the same bits on every machine.

Zhang, Choromanska & LeCun 2015 (1412.6651) analyse EASGD on a quadratic in section 4. This one also
serves simulations of thousands of actors, such as those of gossip (Blot et al. 2016, 1611.09726).
"""

from __future__ import annotations

from hashlib import shake_128
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor, nn

from tether.actors.compute import Job, off_loop
from tether.protocols.keeping import kept, part
from tether.protocols.learner import Learner
from tether.protocols.vector import check_like

BLOCK = 1024
"""Numbers of noise that are drawn at once, or one vector where n is larger; other, other draws."""
BITS = torch.arange(8, dtype=torch.uint8)


def initial(n: int, start: float) -> Tensor:
    """Return a flat float64 vector with `start` in all n coordinates: where a center begins."""
    if n < 1:
        raise ValueError(f"n is {n}, but a vector of 1 coordinate or more is wanted")
    if not isfinite(start):
        raise ValueError(f"start is {start}, but a finite coordinate is wanted")
    return torch.full((n,), start, dtype=torch.float64)


class Quadratic(Learner):
    """f(x) = h/2 ‖x − x*‖² of n float64, with the gradient h(x − x*) + σξ; x begins at `start`.

    A batch is a ξ: n independent numbers, each +1 or −1, float64. `loss` is f without it. What goes
    into x is made by + − × of single coordinates, which every machine rounds alike.
    """

    def __init__(
        self, n: int, eta: float, h: float, sigma: float, optimum: float, start: float, seed: int
    ) -> None:
        for name, value in (("eta", eta), ("h", h), ("sigma", sigma)):
            if not 0 <= value < inf:
                raise ValueError(f"{name} is {value}, but a finite number of 0 or more is wanted")
        if not isfinite(optimum):
            raise ValueError(f"optimum is {optimum}, but a finite coordinate of x* is wanted")

        def f(model: Any, xi: Tensor) -> Tensor:
            d: Tensor = model[0] - optimum
            return d.dot(d) * (h / 2) + xi.dot(d) * sigma

        super().__init__(nn.ParameterList([initial(n, start)]), f, seed=seed)
        self.h, self.sigma, self.optimum = h, sigma, optimum
        self._eta = eta
        self._g = self._parameters.gradient()
        self._noise = Noise(n, sigma, seed)

    @property
    def eta(self) -> float:
        """The learning rate η."""
        return self._eta

    async def gradient(self, at: Tensor | None = None, batch: Any = None) -> Tensor:
        """Return the gradient at x, or at another flat vector, with the next ξ or with this one."""
        return await off_loop(Job("gradient", self._gradient), at, batch)

    async def step(self, gradient: Tensor | None = None) -> None:
        """Make the step x ← x − ηg; without a g, with the gradient of the next ξ."""
        await off_loop(Job("step", self._writing(lambda: self._step(gradient))))

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next steps depend on."""
        return {**super().state_dict(), "noise": self._noise.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, bit for bit; one that comes back alone goes on at the x it has."""
        super().load_state_dict(state)
        self._noise.load_state_dict(part(state, "noise"))

    # The two below need no guard: they draw nothing from torch, and build no graph.

    def _gradient(self, at: Tensor | None, batch: Any) -> Tensor:
        if at is not None:
            check_like("at", at, self.x)
        if batch is not None:
            check_like("the batch", batch, self.x)
        d = (self.x if at is None else at.detach()) - self.optimum
        noise = self._noise.take() if batch is None else batch.detach() * self.sigma
        torch.mul(d, self.h, out=self._g).add_(noise)
        self.loss = d.dot(d) * (self.h / 2)
        return self._g

    def _step(self, gradient: Tensor | None) -> None:
        g = self._gradient(None, None) if gradient is None else gradient
        if g is not self._g:
            check_like("the gradient", g, self.x)
        self.x.sub_(g.detach() * self._eta)


class Noise:
    """Vectors without end of n independent float64 that are +size or −size, as likely.

    Their signs are bits of SHAKE-128 of the seed and a counter, which are all there is to keep.
    """

    def __init__(self, n: int, size: float, seed: int) -> None:
        self.n, self.size, self.seed, self.drawn = n, size, seed, 0
        self._rows = max(1, BLOCK // n)
        self._block: tuple[Tensor, ...] = ()
        self._place = seed, -1

    def take(self) -> Tensor:
        """Return the next vector, to be read only."""
        number, row = divmod(self.drawn, self._rows)
        if self._place != (self.seed, number):
            drawn = signs(f"{self.seed}/{number}", self._rows * self.n)
            self._block = drawn.view(self._rows, self.n).mul_(self.size).unbind()
            self._place = self.seed, number
        self.drawn += 1
        return self._block[row]

    state_dict, load_state_dict = kept("seed", "drawn")


def signs(text: str, count: int) -> Tensor:
    """Return `count` float64 that are +1 or −1 by the bits of SHAKE-128 (FIPS 202) of a text."""
    drawn = bytearray(shake_128(text.encode()).digest(-(-count // 8)))
    bits = (torch.frombuffer(drawn, dtype=torch.uint8).unsqueeze(1) >> BITS) & 1
    return bits.flatten()[:count].double().mul_(2).sub_(1)
