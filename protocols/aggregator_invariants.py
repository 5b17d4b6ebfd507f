"""What all who average in rounds promise: c moves by the mean of what was handed over, and is one.

Serves local SGD, its blocks, its signs and DiLoCo, with any outer optimizer.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tether.protocols import diloco, local_sgd
from tether.protocols.aggregator import Aggregator
from tether.protocols.easgd_invariants import wide
from tether.protocols.hierarchical import Block
from tether.protocols.invariant import Call, Life, View
from tether.protocols.outer import Outer
from tether.protocols.share import Share
from tether.protocols.sign import Residual, unpacked

ROUNDINGS = 64
"""Roundings that are let pass in a round, in units of the largest number so far."""
FRAGMENTS = 64
"""Fragments of c that are kept as they were, the latest ones: what is mixed is mixed with them."""


class Handed(NamedTuple):
    """What a life has handed over, in float64, and how many workers' mean it is; 0: unknown."""

    life: Life
    D: Tensor
    n: int


class Held:
    """What is known of one who holds a consensus: c and u in float64, and who is in the round."""

    def __init__(self, life: Life, actor: Aggregator) -> None:
        self.life, self.actor = life, actor
        self.c = wide(actor.c)
        self.outer = Outer(actor.outer.lr, actor.outer.mu, ahead=actor.outer.ahead)
        self.outer.u = None if actor.outer.u is None else wide(actor.outer.u)
        self.handed: dict[str, Handed] = {}
        self.rounds, self.there = actor.rounds, 0

    def see(self) -> None:
        """Keep where it is now."""
        self.rounds, self.there = self.actor.rounds, len(self.actor.hands.told)


class Rounds:
    """Each round moves c by the outer step along Σ nₖDₖ / Σ nₖ of those who were there.

    D is the c − w of its worker, or what its signs say; who goes on takes bits that were a c, of
    the step at which it goes on. Leaks are what comes late, what deaths take of what was not handed
    over, and what a return of c undoes; signs that come late stay with their worker, and are none.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.holders: dict[str, Held] = {}
        self.members: dict[str, tuple[Life, Any]] = {}
        self.digests: dict[tuple[int, int], set[bytes]] = {}
        """Of all c there have been, by the part and the step."""
        self.fragments: dict[tuple[int, int], list[Tensor]] = {}
        self.given: dict[tuple[Life, int], tuple[int, Tensor]] = {}
        """What each life has handed over last, of each part: the step of its c, and D."""
        self.wrong, self.largest, self.epsilon = "", 1.0, 0.0
        self._x: dict[str, Tensor] = {}

    def made(self, life: Life, actor: Any) -> None:
        """See one come who holds a consensus, or leaves one; a block does both."""
        if isinstance(actor, local_sgd.Worker | diloco.Worker | Block):
            before = self.members.get(life.name)
            if before is not None and not isinstance(actor, Block):
                self._leak(f"{life.name} died", unsaid(actor) - self._lost(*before))
            self.members[life.name] = life, actor
        if isinstance(actor, Aggregator):
            held = self.holders.get(life.name)
            if held is not None:
                self._see_its_end(held)
                self._leak(f"{life.name} came back", wide(actor.c) - held.c)
                for handed in held.handed.values():  # those who live hand it over once more
                    if self.members.get(handed.life.name, (None,))[0] != handed.life:
                        self._leak(f"with what {handed.life.name} said {life.name} died", handed.D)
            self.holders[life.name] = Held(life, actor)
            self.epsilon = max(self.epsilon, torch.finfo(actor.c.dtype).eps)
            self._hold(actor)

    def before(self, name: str, work: str) -> None:
        """Keep x as it is before a consensus is taken."""
        actor = self.view.actors.get(name)
        if work == "apply" and isinstance(actor, local_sgd.Worker | diloco.Worker):
            self._x[name] = actor.learner.x.clone()

    def after(self, name: str, work: str) -> None:  # noqa: ARG002
        """See that what a worker goes on from has been a c."""
        before, actor = self._x.pop(name, None), self.view.actors.get(name)
        if before is None or actor is None:
            return
        self._see_ends()
        if isinstance(actor, diloco.Worker):
            fits = self._mixes(actor, before)
        else:
            fits = digest(actor.learner.x) in self.digests.get((0, actor.share.base), set())
        if not fits:
            self._tell(f"{name} goes on from what was no c")

    def answered(self, call: Call, answer: Any) -> None:
        """Note what has been handed over, and compare when that has ended a round."""
        held = self.holders.get(call.target.name)
        if held is None or held.life != call.target:
            return
        self._see_ends()
        if call.method in {"hand", "hand_signs"} and isinstance(answer, bool):
            self._handed(held, call.source, counts=answer)
        elif call.method in {"join", "adopt"} and self._was(held.actor.c):
            held.c = wide(held.actor.c)
            self._hold(held.actor)
        held.see()

    def check(self) -> str:
        """Return what went wrong; nobody but a round moves c."""
        for name, held in self.holders.items():
            if name not in self.view.actors or held.actor.rounds != held.rounds:
                continue  # a round has just ended, and its last hand is being answered
            if not self._is(wide(held.actor.c), held.c) and not self._was(held.actor.c):
                self._tell(f"the c of {name} was moved, but not by a round")
        return self.wrong

    def _see_ends(self) -> None:
        for held in self.holders.values():
            self._see_its_end(held)

    def _see_its_end(self, held: Held) -> None:
        """Keep the c of a round that has just ended: its holder may die before that is answered.

        If it does, nobody compares this c with what was handed over; only that it was one is known.
        """
        if held.actor.rounds != held.rounds:
            self._hold(held.actor)

    def _handed(self, held: Held, source: Life, *, counts: bool) -> None:
        """See what somebody hands over put aside, counted, or dropped."""
        actor = held.actor
        ended = actor.rounds != held.rounds
        life, member = self.members[source.name]
        if ended or len(actor.hands.told) > held.there:
            handed = held.handed[source.name] = self._said(source, held)
            if life == source:
                self.given[source, actor.part] = share_of(member, actor).base, handed.D
            else:
                self._leak(f"what {source.name} said came, but it died", handed.D)
        elif not counts and life == source and not isinstance(share_of(member, actor), Residual):
            self._leak(f"{source.name} came late", self._said(source, held).D)
        if ended:
            self._compare(held)

    def _said(self, source: Life, held: Held) -> Handed:
        """Return what a member has handed over; where it has died since, as its holder has it."""
        life, member = self.members[source.name]
        if life != source:
            return of_the_dead(source, held.actor)
        share = share_of(member, held.actor)
        D = wide(said(share))
        if isinstance(member, local_sgd.Worker) and not isinstance(share, Residual):
            self.largest = max(self.largest, float(member.learner.x.abs().max()))
            done = wide(share.c) - wide(member.learner.x)
            if not self._is(D, done, steps=member.t - share.base):
                self._tell(f"{source.name} handed over what is not c − w")
        n = member.waits.told.n if isinstance(member, Block) and member.waits else 1
        return Handed(source, D, n)

    def _compare(self, held: Held) -> None:
        """Compare c, after a round, with the outer step from the c before."""
        each, actor = [*held.handed.values()], held.actor
        if all(handed.n for handed in each):
            n = sum(handed.n for handed in each)
            held.outer.step(held.c, torch.stack([one.D * one.n for one in each]).sum(0) / n)
            self.largest = max(self.largest, float(held.c.abs().max()))
            if not self._is(wide(actor.c), held.c):
                off = float((wide(actor.c) - held.c).abs().max())
                self._tell(f"c is off the mean of what was handed over by {off:.3g}")
        held.outer.u = None if actor.outer.u is None else wide(actor.outer.u)
        held.c = wide(actor.c)
        held.handed.clear()
        self._hold(actor)

    def _lost(self, life: Life, worker: Any) -> Tensor:
        """Return what a life had done and not handed over when it ended, negated."""
        parts = worker.parts.each if isinstance(worker, diloco.Worker) else [worker.share]
        share = parts[0]
        if isinstance(share, Residual) and share.under_way()["told"] is not None:
            counts = self.given.get((life, 0), (-1, None))[0] == share.base and share.counts
            return wide(share.e) + (0.0 if counts else wide(said(share)))  # e has c − w in it
        given = [self.given.get((life, p), (-1, None)) for p in range(len(parts))]
        each = [
            D if D is not None and base == share.base else torch.zeros_like(wide(share.c))
            for share, (base, D) in zip(parts, given, strict=True)
        ]
        return unsaid(worker) - torch.cat(each)

    def _mixes(self, worker: diloco.Worker, before: Tensor) -> bool:
        """Return whether each fragment of x is as it was, or a c, or mixed with one."""
        shares = worker.parts.each
        sizes = [len(share.c) for share in shares]
        pieces = zip(torch.split(before, sizes), torch.split(worker.learner.x, sizes), strict=True)
        for p, (w, x) in enumerate(pieces):
            at = p, shares[p].base
            mixed = [torch.lerp(c, w, worker.parts.alpha) for c in self.fragments.get(at, [])]
            there = digest(x) in self.digests.get(at, set())
            if not (there or any(torch.equal(x, each) for each in (w, *mixed))):
                return False
        return True

    def _hold(self, actor: Aggregator) -> None:
        """Keep a c, by its digest, and a fragment as it is."""
        at = actor.part, actor.t
        self.digests.setdefault(at, set()).add(digest(actor.c))
        if isinstance(actor, diloco.Fragment):
            self.fragments.setdefault(at, []).append(actor.c.clone())
            if len(self.fragments) > FRAGMENTS:
                self.fragments.pop(next(iter(self.fragments)))

    def _was(self, c: Tensor) -> bool:
        """Return whether some c has been this."""
        return any(digest(c) in digests for digests in self.digests.values())

    def _is(self, one: Tensor, other: Tensor, steps: int = 0) -> bool:
        off = float((one - other).abs().max())
        return off <= (ROUNDINGS + 4 * steps) * self.epsilon * self.largest

    def _tell(self, sentence: str) -> None:
        self.wrong = self.wrong or sentence

    def _leak(self, why: str, what: Tensor) -> None:
        if bool(what.any()):
            self.view.leak(why, float(what.norm()))


def share_of(member: Any, holder: Aggregator) -> Share:
    """Return a member's side of its rounds with one who holds a consensus."""
    if isinstance(member, diloco.Worker):
        return member.parts.each[holder.part]
    share: Share = member.share
    return share


def said(share: Share) -> Tensor:
    """Return what a member says that it has done, negated: c − w, or the signs of what it says."""
    return unpacked(share.q, share.s, share.sizes) if isinstance(share, Residual) else share.D


def of_the_dead(life: Life, holder: Aggregator) -> Handed:
    """Return what somebody has handed over, as its receiver has kept it."""
    for (member, what), D in holder.hands.kept.items():
        if what == "D" and repr(member) == f"<Ref {life.name}>":
            told = holder.hands.told.get(member)
            return Handed(life, wide(D), told.n if told else 0)
    raise LookupError(f"{life.name} has handed nothing over")


def unsaid(worker: Any) -> Tensor:
    """Return what a worker has done since it took its c, negated, and its error."""
    x = wide(worker.learner.x)
    if isinstance(worker, diloco.Worker):
        return wide(torch.cat([share.c for share in worker.parts.each])) - x
    error = wide(worker.share.e) if isinstance(worker.share, Residual) else 0.0
    return wide(worker.share.c) - x + error


def digest(x: Tensor) -> bytes:
    """Return a few bytes that are those of these bits alone."""
    raw = x.detach().cpu().contiguous().view(torch.uint8)
    return blake2b(raw.numpy().tobytes(), digest_size=16).digest()


INVARIANTS = (Rounds,)
