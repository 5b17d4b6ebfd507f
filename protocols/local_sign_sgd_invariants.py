"""What signs promise: what was said and what is left to say are all that was done (L7)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tether.protocols.aggregator_invariants import Rounds, said
from tether.protocols.easgd_invariants import wide
from tether.protocols.invariant import Call, Life, View
from tether.protocols.local_sign_sgd import Worker
from tether.protocols.sign import Residual

ROUNDINGS = 64
"""Roundings that are let pass, in units of the largest number so far."""


class Books:
    """A worker's e, its differences D, and what it has said of them that counts, in float64."""

    def __init__(self, life: Life, worker: Worker) -> None:
        self.life, self.worker = life, worker
        self.e = wide(self.share.e)
        """What e has to be: the e it came with + ΣD − Σ s·q of all that counts."""
        self.last = self.share.e
        self.back: Tensor | None = None
        """What was too late, and goes back into e when the worker goes on."""

    @property
    def share(self) -> Residual:
        """The worker's side of its rounds."""
        assert isinstance(self.worker.share, Residual)
        return self.worker.share


class Residuals:
    """Of each worker  e = the e it came with + Σ (c − w) − Σ s·q,  over all that counts.

    What is said and comes too late for its round counts as not said. Without feedback there is
    nothing to keep. What a death does to e is booked by the invariant of all who average.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.books: dict[str, Books] = {}
        self.largest = 1.0

    def made(self, life: Life, actor: Any) -> None:
        """See a worker come, with the e of its checkpoint."""
        if isinstance(actor, Worker) and Books(life, actor).share.feedback:
            self.books[life.name] = Books(life, actor)

    def before(self, name: str, work: str) -> None:
        """See a worker go on: what was too late is left to be said by now."""
        books = self.books.get(name)
        if work == "apply" and books is not None and books.back is not None:
            books.e, books.back = books.e + books.back, None

    def after(self, name: str, work: str) -> None:
        """See a difference taken, and signs of it that are going to be said."""
        books = self.books.get(name)
        if work == "compute" and books is not None and books.share.e is not books.last:
            books.last = books.share.e
            books.e = books.e + wide(books.share.D) - wide(said(books.share))
            self.largest = max(self.largest, float(books.e.abs().max()))

    def answered(self, call: Call, answer: Any) -> None:
        """Note whether what was said counts."""
        books = self.books.get(call.source.name)
        if call.method == "hand_signs" and books is not None and books.life == call.source:
            books.back = wide(said(books.share)) if answer is False else None

    def check(self) -> str:
        """Compare each e with what it has to be."""
        for name, books in self.books.items():
            wanted = [books.e] if books.back is None else [books.e, books.e + books.back]
            off = min(float((wide(books.share.e) - e).abs().max()) for e in wanted)
            room = ROUNDINGS * torch.finfo(books.share.e.dtype).eps * self.largest
            if name in self.view.actors and not off <= room:
                return f"the error of {name} is off what it has not said by {off:.3g}"
        return ""


INVARIANTS = (Rounds, Residuals)
