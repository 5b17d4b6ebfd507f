"""Consensus and loss against the rate of exchange: GoSGD beside EASGD (1611.09726, section 4)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from figure import axes, with_errors
from play import Training
from section import Claim, Results, Row, Section

STEPS = 150
M = 8
ETA, BATCH = 0.1, 16
RATES = {0.02: 50, 0.1: 10, 1.0: 1}
"""Probabilities p of an exchange, and the periods τ = 1/p of EASGD."""
GOSGD = [f"GoSGD p={p:g}" for p in (0.0, *RATES)]
EASGD = [f"EASGD τ={tau}" for tau in RATES.values()]


def rows(steps: int) -> list[Row]:
    """Return all rows, of M learners each."""
    common = {
        "worker.count": M,
        "worker.steps": steps,
        "worker.learner.batch": BATCH,
        "worker.learner.eta": ETA,
    }
    made = {
        name: ("gosgd.toml", {"worker.p": p}) for name, p in zip(GOSGD, (0.0, *RATES), strict=True)
    }
    made |= {
        name: ("easgd.toml", {"worker.tau": tau, "center.alpha": 0.9 / M})
        for name, tau in zip(EASGD, RATES.values(), strict=True)
    }
    return [
        Row(name, Training(wiring, {**common, **sets})) for name, (wiring, sets) in made.items()
    ]


def derive(results: Results) -> Results:
    """Add how many vectors of the size of x travel once all have begun."""
    return {
        name: [{**each, "vectors": vectors(name, each["messages"])} for each in seeds]
        for name, seeds in results.items()
    }


def vectors(name: str, messages: float) -> float:
    """Return how many of so many messages are an x or a difference, there or back.

    To begin, peers of GoSGD compare digests, each with each, and workers of EASGD pull x once.
    """
    return 2 * (messages - M) if name in EASGD else messages - M * (M - 1)


def learns_more(name: str) -> Claim:
    """Return the claim that one that exchanges has a lower loss than one that does not."""
    return Claim(f"who exchanges learns more: {name}", GOSGD[0], name, "loss")


CLAIMS = [
    *(
        Claim(f"the more is exchanged, the closer: {less} → {more}", less, more, "consensus")
        for less, more in pairwise(GOSGD)
    ),
    *(learns_more(name) for name in GOSGD[1:3]),
    *(
        Claim(f"GoSGD's are closer at the same rate: {gosgd}", easgd, gosgd, "consensus")
        for gosgd, easgd in zip(GOSGD[1:], EASGD, strict=True)
    ),
    *(
        Claim(f"with fewer vectors: {gosgd}", easgd, gosgd, "vectors")
        for gosgd, easgd in zip(GOSGD[1:], EASGD, strict=True)
    ),
    Claim("at the lowest rate EASGD's center lags behind", EASGD[0], GOSGD[1], "loss"),
]
HARD = [learns_more(GOSGD[3])]
"""On digits it is 1.97 standard errors, over 8 seeds."""


def draw(results: Results, path: Path) -> None:
    """Draw consensus and test loss against the rate of exchange."""
    with axes(path, "exchanges a step, p = 1/τ", "", 2) as found:
        for ax, of in zip(found, ("consensus", "loss"), strict=True):
            for label, names in (("GoSGD, mean of all", GOSGD[1:]), ("EASGD, center", EASGD)):
                with_errors(ax, label, [*RATES], [results[name] for name in names], of)
            alone = results[GOSGD[0]]
            level = sum(each[of] for each in alone) / len(alone)
            ax.axhline(level, color="gray", linestyle=":", label="no exchange")
            ax.set(xscale="log", ylabel={"consensus": "Σ‖xⁱ − x̄‖²", "loss": "test loss"}[of])
        found[0].set_yscale("log")


def section(length: int = STEPS) -> Section:
    """Return the section; `length` is how many steps a learner makes."""
    title = f"Consensus and loss against the rate of exchange, {M} learners"
    columns = ("error", "loss", "consensus", "vectors")
    return Section("gossip", title, rows(length), CLAIMS, columns, draw, derive, hard=HARD)
