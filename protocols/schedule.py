"""How many local steps a round has: H, which may change from round to round."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, isfinite, sqrt
from typing import NamedTuple

from tether.protocols.keeping import kept
from tether.protocols.learner import Learner
from tether.protocols.overlap import period


class Progress(NamedTuple):
    """What is known when a round begins: the step, and mean loss and learning rate before it."""

    t: int
    loss: float
    eta: float


class Schedule:
    """Tells H of the round that begins at a step, by a rule, so that all take the same."""

    def __init__(self, rule: Callable[[Progress], int]) -> None:
        self.rule = rule

    def __call__(self, progress: Progress) -> int:
        """Return H, 1 or more."""
        return period(self.rule(progress), "H")

    state_dict, load_state_dict = kept()  # a rule is a function of what it is told


class AdaComm(Schedule):
    """H = ⌈H₀ √(η₀/η · F/F₀)⌉, at most `most` (Wang & Joshi, MLSys 2019, 1810.08313).

    η₀ and F₀, learning rate and loss, are those of the end of the first round.
    """

    def __init__(self, H: int, most: int) -> None:
        self.H, self.most = period(H, "H"), period(most, "most")
        self.eta, self.loss = 0.0, 0.0
        super().__init__(self._rule)

    def _rule(self, now: Progress) -> int:
        if not (isfinite(now.loss) and now.loss > 0 and now.eta > 0):
            return self.H
        if not self.loss:
            self.eta, self.loss = now.eta, now.loss
        wanted = self.H * sqrt(self.eta / now.eta * (now.loss / self.loss))
        return max(1, min(self.most, ceil(wanted)))

    state_dict, load_state_dict = kept("eta", "loss")


def constant(H: int) -> Schedule:
    """Return the same H for all rounds."""
    H = period(H, "H")
    return Schedule(lambda _: H)


def post_local(H: int, start: int) -> Schedule:
    """Return post-local SGD's: 1 for rounds that begin before step `start`, H afterwards."""
    H, start = period(H, "H"), period(start, "start")
    return Schedule(lambda now: 1 if now.t < start else H)


def adacomm(H: int, most: int) -> Schedule:
    """Return AdaComm's: from H on it falls with the loss, and rises as the rate decays."""
    return AdaComm(H, most)


def staggered(H: int, part: int, of: int) -> Schedule:
    """Return H for all rounds but the first, in which parts 0, 1, … take turns within H steps."""
    if not 0 <= part < of <= H:
        raise ValueError(f"part is {part} of {of}, but one of at most H = {H} parts is wanted")
    return Schedule(lambda now: H if now.t else (part + 1) * H // of)


def scheduled(H: int | Schedule) -> Schedule:
    """Return a schedule as it is, and a number as the constant one."""
    return constant(H) if isinstance(H, int) else H


def rate(learner: Learner) -> float:
    """Return the learning rate, that of the first parameter group where there are several."""
    groups = learner.optimizer.param_groups if learner.optimizer else []
    return float(groups[0]["lr"]) if groups else learner.eta
