"""What EASGD conserves: only gradients move the sum of all variables."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.easgd import Center, Worker
from tether.protocols.invariant import Call, Life, View
from tether.protocols.sharded import Shard

ROUNDINGS = 16
"""Roundings that are let pass beside those of the exchanges, in units of the largest number."""


class Conservation:
    """x̃ + Σxⁱ − Σ(differences under way) = Σ(steps) + Σ(leaks), in every coordinate.

    An exchange has moved x̃ by α(x − x̃) as soon as it is answered, and moves x by as much when its
    worker has applied it: until then the difference is under way. What a death takes away, and what
    comes back from a checkpoint or from x̃, are leaks; how a worker begins for the first time is
    none. Roundings grow with the exchanges and steps, and with the largest number so far.
    """

    _apart = True
    """Whether centers that others push to are left to the invariants of their own protocol."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.lives: dict[str, Life] = {}
        self.owned: dict[str, Any] = {}
        self.under_way: dict[str, Tensor] = {}
        self.joining: dict[str, str] = {}
        """Who may begin at x̃, and what leaks when it does; nothing at its first time."""
        self.moved: Tensor | float = 0.0
        """Σ(steps) + Σ(leaks), float64."""
        self.roundings = ROUNDINGS
        self.steps = 0
        self.others = False
        self.largest = 1.0
        self.most = 0
        """The largest number, and the most variables at once, until now."""
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See a center or a worker come; all workers may take its x̃ when a center does."""
        if not isinstance(actor, Center | Worker):
            return
        self.others |= self._apart and hasattr(actor, "push")
        self._bury(life.name)
        self.lives[life.name], self.owned[life.name] = life, actor
        again = life.incarnation > 1
        self._move(self._seen(actor), f"{life.name} came back" if again else "")
        if isinstance(actor, Worker):
            self.joining[life.name] = f"{life.name} began at x̃" if again else ""
        elif again:
            self.joining = {name: f"{name} began at x̃" for name in self.lives} | self.joining

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before a learner's work writes it."""
        if work in {"step", "apply"} and name in self.owned:
            self._x[name] = self._seen(self.owned[name])

    def after(self, name: str, work: str) -> None:
        """Book what has moved x: a step of its own, a difference, or x̃ that a worker begins at."""
        before = self._x.pop(name, None)
        if before is None:
            return
        change = held(self.owned[name]) - before
        if work == "step":
            self.moved = self.moved + change
            self.steps += 1
        elif (d := self.under_way.get(name)) is not None and self._is(change, -d, before):
            del self.under_way[name]
            self.joining.pop(name, None)  # it goes on with the center that is there
        elif name in self.joining:
            self._move(change + self.under_way.pop(name, 0.0), self.joining.pop(name))
        else:
            self.under_way.pop(name, None)

    def answered(self, call: Call, answer: Any) -> None:
        """Note a difference that is under way now; to a worker that has died it never comes."""
        if call.method == "exchange" and isinstance(answer, Tensor):
            self._answered(call, wide(answer))

    def _answered(self, call: Call, d: Tensor) -> None:
        """Note that a center, or a shard of it, has moved by a difference."""
        name, center = call.source.name, self.owned.get(call.target.name)
        if isinstance(center, Shard):
            d = spread(d, center)
        self._measured(d)
        self.roundings += 4
        if self.lives.get(name) == call.source and name in self.view.actors:
            self.under_way[name] = self._with(d, center, self.under_way.get(name))
        else:
            self._move(d, f"{name} died before its difference came")

    def check(self) -> str:
        """Compare both sides."""
        for name in [name for name in self.owned if name not in self.view.actors]:
            self._bury(name)
        there = [self._seen(actor) for actor in self.owned.values()]
        under_way = [*self.under_way.values()]
        if not there or self.others:
            return ""
        left = torch.stack(there).sum(0) - (torch.stack(under_way).sum(0) if under_way else 0.0)
        wrong = float((left - self.moved).abs().max())
        self.most = max(self.most, len(there))
        each = self.roundings * epsilon(self.owned) + self.steps * torch.finfo(torch.float64).eps
        if wrong <= each * self.most * self.largest:
            return ""
        return f"x̃ + Σx − differences under way is off Σ steps + leaks by {wrong:.3g}"

    def _bury(self, name: str) -> None:
        """See an actor gone, with its variable and the difference that was on its way to it."""
        actor = self.owned.pop(name, None)
        if actor is not None:
            self._move(self.under_way.pop(name, 0.0) - held(actor), f"{name} died")
            self._x.pop(name, None)

    def _move(self, change: Tensor, leak: str) -> None:
        self.moved = self.moved + change
        if leak and bool(change.any()):
            self.view.leak(leak, float(change.norm()))

    def _with(self, d: Tensor, center: Any, before: Tensor | None) -> Tensor:
        """Return a shard's difference together with those of others that are under way."""
        if before is None or not isinstance(center, Shard):
            return d
        begin, end = center.begin, center.begin + len(center.x)
        return torch.cat([before[:begin], d[begin:end], before[end:]])

    def _seen(self, actor: Center | Worker) -> Tensor:
        """Return a copy of its variable, after a look at how large its numbers are."""
        copy = held(actor)
        self._measured(copy)
        return copy

    def _measured(self, x: Tensor) -> None:
        self.largest = max(self.largest, float(x.abs().max()))

    def _is(self, change: Tensor, wanted: Tensor, near: Tensor) -> bool:
        room = 4 * epsilon(self.owned) * max(1.0, float(near.abs().max()))
        return float((change - wanted).abs().max()) <= room


def vector(actor: Center | Worker) -> Tensor:
    """Return the variable that an actor holds."""
    return actor.x if isinstance(actor, Center) else actor.learner.x


def held(actor: Center | Worker) -> Tensor:
    """Return a copy of an actor's variable in float64, of all coordinates also where it is a shard.

    Those that a shard does not have are 0.
    """
    x = wide(vector(actor))
    return spread(x, actor) if isinstance(actor, Shard) else x


def spread(part: Tensor, shard: Shard) -> Tensor:
    """Return a shard's slice as a vector of all coordinates."""
    whole = part.new_zeros(shard.n)
    whole[shard.begin : shard.begin + len(part)] = part
    return whole


def wide(x: Tensor) -> Tensor:
    """Return a copy in float64, in which sums of float32 are exact enough."""
    return x.detach().to("cpu", torch.float64, copy=True)


def epsilon(owned: dict[str, Any]) -> float:
    """Return the spacing of the variables' numbers."""
    return max(torch.finfo(vector(actor).dtype).eps for actor in owned.values())


INVARIANTS = (Conservation,)
