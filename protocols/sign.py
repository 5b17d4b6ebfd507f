"""Signs instead of numbers: one bit each, one scale a tensor, and what that leaves behind.

Bernstein et al. 2018 (1802.04434) step along signs; Karimireddy et al. 2019 (1901.09847) keep the
error and add it to what is sent next. sign(0) is +1, so that one bit is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.optim import Optimizer

from tether.actors import Ref
from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.rounds import Averaging, Member, Told
from tether.protocols.share import Share

PLACES = tuple(1 << k for k in range(8))


def sizes(learner: Learner) -> list[int]:
    """Return how many numbers of x each of a learner's parameter tensors has."""
    return [p.numel() for p in learner.model.parameters() if p.requires_grad]


def scales(v: Tensor, sizes: list[int]) -> Tensor:
    """Return s = ‖v‖₁/n of each of the tensors that a flat vector is made of."""
    return torch.stack([piece.abs().sum() / piece.numel() for piece in torch.split(v, sizes)])


def packed(v: Tensor) -> Tensor:
    """Return the signs q of a flat vector, eight a byte (uint8); a set bit is +1, as that of 0."""
    bits = (v >= 0).to(torch.uint8)
    bits = torch.nn.functional.pad(bits, (0, -v.numel() % 8)).view(-1, 8)
    return (bits * torch.tensor(PLACES, dtype=torch.uint8, device=v.device)).sum(1).to(torch.uint8)


def unpacked(bits: Tensor, s: Tensor, sizes: list[int]) -> Tensor:
    """Return s·q as one flat vector of the scales' dtype; raises ValueError if they do not fit."""
    count = sum(sizes)
    if len(s) != len(sizes) or bits.numel() != -(-count // 8):
        raise ValueError(
            f"{bits.numel()} bytes of signs and {len(s)} scales came, but those of {count} numbers "
            f"in {len(sizes)} tensors are wanted"
        )
    places = torch.tensor(PLACES, dtype=torch.uint8, device=bits.device)
    q = (bits[:, None] & places).ne(0).flatten()[:count]
    each = s.repeat_interleave(torch.tensor(sizes, device=s.device))
    return torch.where(q, each, -each)


def scaled_sign(e: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor]:
    """Return (q, s), packed signs and scales, and leave in e what they do not say: e ← e − s·q."""
    s, bits = scales(e, sizes), packed(e)
    e -= unpacked(bits, s, sizes)
    return bits, s


class SignSGD(Optimizer):
    """d ← g + λw, m ← μm + d, w ← w − η·sign(m), or sign(d + μm) with `nesterov`; sign(0) is 0."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        nesterov: bool = False,
    ) -> None:
        if not lr > 0:
            raise ValueError(f"lr is {lr}, but a learning rate above 0 is wanted")
        given = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**given, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make one step; there is no closure."""
        if closure is not None:
            raise ValueError("SignSGD.step: a closure came, but none is wanted")
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    w.sub_(self._direction(w, group).sign_(), alpha=group["lr"])

    def _direction(self, w: Tensor, group: dict[str, Any]) -> Tensor:
        d = w.grad.add(w, alpha=group["weight_decay"]) if w.grad is not None else w
        if not group["momentum"]:
            return d
        m: Tensor = self.state[w].setdefault("momentum_buffer", torch.zeros_like(w))
        m.mul_(group["momentum"]).add_(d)
        return d.add_(m, alpha=group["momentum"]) if group["nesterov"] else m.clone()


@runtime_checkable
class Signed(Averaging, Protocol):
    """Whoever averages scaled signs."""

    async def hand_signs(
        self, member: Ref[Member], told: Told, q: Tensor, s: Tensor, sizes: list[int]
    ) -> bool:
        """Get packed signs and scales of a member; return whether they count."""
        ...


class Residual(Share):
    """Hands over signs of e + c − w, and keeps what they do not say as e, unless told to forget.

    What they said and what was too late to be applied goes back into e: it is said again.
    """

    def __init__(
        self,
        at: Ref[Signed],
        me: Ref[Member],
        learner: Learner,
        patience: float,
        feedback: bool,
    ) -> None:
        super().__init__(at, me, learner.x, patience)
        self.signs, self.sizes, self.feedback = at, sizes(learner), feedback
        self.e = torch.zeros_like(learner.x)

    def difference(self, w: Tensor) -> Tensor:
        """Make e ← e + c − w and take the signs of it."""
        self.e = super().difference(w) + (self.e if self.feedback else 0.0)
        self.q, self.s = scaled_sign(self.e, self.sizes)  # e ← e − s·q
        return self.D

    def take(self) -> Tensor:
        """Go on from the consensus that has come, with e ← e + s·q if that was too late for it."""
        if not self.counts:
            self.e += unpacked(self.q, self.s, self.sizes)
        return super().take()

    async def _send(self, told: Told, _: Tensor | None) -> bool:
        return await self.signs.hand_signs(self.me, told, self.q, self.s, self.sizes)

    state_dict, load_state_dict = kept("c", "base", "due", "e")
