"""Test error against the period τ: DOWNPOUR, EASGD and EAMSGD (figure 2 of 1412.6651)."""

from __future__ import annotations

from pathlib import Path

from figure import axes, with_errors
from play import Training
from section import Claim, Results, Row, Section

STEPS = 320
PERIODS = (1, 4, 16, 64)
METHODS = {
    "DOWNPOUR": ("downpour.toml", {}),
    "EASGD": ("easgd.toml", {}),
    "EAMSGD": ("easgd.toml", {"worker.delta": 0.9}),
}
ALONE = {
    "SGD": {},
    "MSGD": {"worker.delta": 0.9},
    "ASGD": {"worker.actor": "tether.protocols.sgd:Averaged"},
    "MVASGD": {"worker.actor": "tether.protocols.sgd:Averaged", "worker.a": 0.001},
}
AVERAGING = {"center.actor": "tether.protocols.adownpour:Center"}
OTHERS = {
    "ADOWNPOUR τ=1": ("downpour.toml", {**AVERAGING, "worker.tau": 1}),
    "MVADOWNPOUR τ=1": ("downpour.toml", {**AVERAGING, "center.a": 0.001, "worker.tau": 1}),
    "MDOWNPOUR τ=1": ("mdownpour.toml", {}),
}
"""What the paper has at τ = 1 only, or found no better elsewhere."""
FURTHER = 0.08
"""Of how much more error DOWNPOUR is said to be at τ = 64, at the least."""
SAME = 0.05
"""How little more error the elastic ones are said to be at, at the most."""


def rows(steps: int) -> list[Row]:
    """Return all rows, p = 4 but for those that learn alone."""
    made = {
        f"{method} τ={tau}": (wiring, {**sets, "worker.tau": tau})
        for method, (wiring, sets) in METHODS.items()
        for tau in PERIODS
    }
    made |= OTHERS | {f"{method} p=1": ("sgd.toml", sets) for method, sets in ALONE.items()}
    return [
        Row(name, Training(wiring, {**sets, "worker.steps": steps}), rate_of(wiring))
        for name, (wiring, sets) in made.items()
    ]


def rate_of(wiring: str) -> str:
    """Return the key of the learning rate in a wiring."""
    return "center.eta" if wiring == "mdownpour.toml" else "worker.learner.eta"


CLAIMS = [
    Claim("DOWNPOUR fails at a long period", "DOWNPOUR τ=64", "EASGD τ=64", least=FURTHER),
    Claim("DOWNPOUR gets worse with the period", "DOWNPOUR τ=64", "DOWNPOUR τ=1", least=FURTHER),
    Claim("and already at 16", "DOWNPOUR τ=16", "EASGD τ=16"),
    Claim("EASGD does not", "EASGD τ=64", "EASGD τ=1", most=SAME),
    Claim("nor does EAMSGD", "EAMSGD τ=64", "EAMSGD τ=1", most=SAME),
    Claim("EAMSGD is better than EASGD at τ=16", "EASGD τ=16", "EAMSGD τ=16"),
    Claim("and at τ=64", "EASGD τ=64", "EAMSGD τ=64"),
    Claim("four workers with EASGD are better than SGD alone", "SGD p=1", "EASGD τ=4"),
    Claim("four workers with EAMSGD are better than MSGD alone", "MSGD p=1", "EAMSGD τ=4"),
]
HARD = [
    Claim("EAMSGD is better than EASGD at τ=4 too", "EASGD τ=4", "EAMSGD τ=4"),
    Claim("MSGD is better than SGD", "SGD p=1", "MSGD p=1"),
]
"""On digits both are as good within a standard error, over 12 seeds."""


def draw(results: Results, path: Path) -> None:
    """Draw the error of each method against τ, and of those that learn alone as lines."""
    with axes(path, "communication period τ", "test error") as ax:
        for method in METHODS:
            with_errors(
                ax, method, PERIODS, [results[f"{method} τ={tau}"] for tau in PERIODS], "error"
            )
        for method, style in (("SGD", ":"), ("MSGD", "--")):
            found = results[f"{method} p=1"]
            level = sum(each["error"] for each in found) / len(found)
            ax.axhline(level, color="gray", linestyle=style, label=f"{method}, alone")
        ax.set_xscale("log", base=2)
        ax.set_xticks(PERIODS, [str(tau) for tau in PERIODS])


def section(length: int = STEPS) -> Section:
    """Return the section; `length` is how many steps a worker makes."""
    title = "Test error against the communication period, 4 workers"
    columns = ("error", "loss")
    return Section("periods", title, rows(length), CLAIMS, columns, draw, hard=HARD)
