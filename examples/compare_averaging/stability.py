"""Where ADMM and EASGD are stable in turns, on f(x) = x²/2 (figure 1 of 1412.6651)."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from figure import axes
from play import Training
from section import Claim, Results, Row, Section

P = 8
ROUNDS = 12
ETAS = (0.0003, 0.001, 0.003, 0.01, 0.03)
RHOS = (0.5, 2.5, 10.0, 30.0)
EXAMPLE = (0.001, 2.5)
"""η and ρ of the paper's example."""
CLOSE = 1e-6
"""How near the growth of simulated actors comes to that of the map, at the least."""
Matrix = np.ndarray[Any, np.dtype[np.float64]]


def admm_turn(i: int, p: int, eta: float, rho: float) -> Matrix:
    """Return what turn i of ADMM makes of (x⁰ … xᵖ⁻¹, λ⁰ … λᵖ⁻¹, x̃)."""
    dual, primal, mean = (np.eye(2 * p + 1) for _ in range(3))
    dual[p + i, i], dual[p + i, -1] = -1, 1
    primal[i, i] = (1 - eta) / (1 + eta * rho)
    primal[i, p + i] = primal[i, -1] = eta * rho / (1 + eta * rho)
    mean[-1] = [*[1 / p] * p, *[-1 / p] * p, 0]
    return np.asarray(mean @ primal @ dual)


def easgd_turn(i: int, p: int, eta: float, rho: float) -> Matrix:
    """Return what turn i of EASGD makes of (x⁰ … xᵖ⁻¹, x̃), with α = ηρ."""
    alpha, move = eta * rho, np.eye(p + 1)
    move[i, i], move[i, p] = 1 - eta - alpha, alpha
    move[p, i], move[p, p] = alpha, 1 - alpha
    return np.asarray(move)


def one_round(turn: Any, p: int, eta: float, rho: float) -> Matrix:
    """Return what a round of p turns makes of the state."""
    return reduce(np.matmul, [turn(i, p, eta, rho) for i in reversed(range(p))])


def radius(turn: Any, p: int, eta: float, rho: float) -> float:
    """Return by how much the state grows in a round, at the most."""
    return float(np.abs(np.linalg.eigvals(one_round(turn, p, eta, rho))).max())


METHODS: dict[str, tuple[str, Any]] = {
    "ADMM": ("admm.toml", admm_turn),
    "EASGD": ("turns.toml", easgd_turn),
}


def points() -> list[tuple[float, float]]:
    """Return η and ρ of what is simulated."""
    return [(eta, rho) for eta in ETAS for rho in RHOS if eta * rho < 1]


def name_of(method: str, eta: float, rho: float) -> str:
    """Return the name of a row."""
    return f"{method} η={eta:g} ρ={rho:g}"


def rows(rounds: int) -> list[Row]:
    """Return a row for each method and point."""
    return [
        Row(
            name_of(method, eta, rho),
            Training(
                wiring,
                {
                    "worker.count": P,
                    "worker.learner.eta": eta,
                    "worker.rho": rho,
                    "center.turns": P * rounds,
                },
            ),
        )
        for method, (wiring, _) in METHODS.items()
        for eta, rho in points()
    ]


def growth(turn: Any, eta: float, rho: float, noted: Any) -> float:
    """Return by how much simulated actors grow in a round, along the direction that does most.

    `noted` are x, λ and x̃ before each turn of each worker. The direction is what the left
    eigenvector of the map's largest eigenvalue sees of them: what is small at first is seen too.
    """
    x, multiplier, center = np.array(noted).transpose(2, 1, 0)
    parts = [x, multiplier, center[:, :1]] if turn is admm_turn else [x, center[:, :1]]
    values, vectors = np.linalg.eig(one_round(turn, P, eta, rho).T)
    seen = np.abs(np.concatenate(parts, axis=1) @ vectors[:, np.abs(values).argmax()])
    return float((seen[-1] / seen[0]) ** (1 / (len(seen) - 1)))


def derive(results: Results) -> Results:
    """Add the growth of each row, and of all points together what is claimed."""
    found: dict[str, Any] = {}
    summary: dict[str, float] = {}
    for method, (_, turn) in METHODS.items():
        for eta, rho in points():
            name = name_of(method, eta, rho)
            grown = growth(turn, eta, rho, results[name][0]["noted"])
            off = abs(grown - radius(turn, P, eta, rho))
            found[name] = [{"growth": grown, "off": off}]
        each = [found[name_of(method, *point)][0] for point in points()]
        summary[f"points that grow with {method}"] = float(sum(e["growth"] > 1 for e in each))
        summary[f"error of {method}'s growth"] = max(e["off"] for e in each)
    return {**found, "all points": [summary]}


CLAIMS = [
    Claim("ADMM diverges at the paper's example", name_of("ADMM", *EXAMPLE), 1.0, "growth"),
    Claim("EASGD converges there", 1.0, name_of("EASGD", *EXAMPLE), "growth"),
    Claim("ADMM does not only there", "all points", 1.0, "points that grow with ADMM"),
    Claim("EASGD converges at all", "all points", 0.0, "points that grow with EASGD", most=0.5),
    *(
        Claim(
            f"{method}'s actors do what their eigenvalues say",
            "all points",
            0.0,
            f"error of {method}'s growth",
            most=CLOSE,
        )
        for method in METHODS
    ),
]


def draw(results: Results, path: Path) -> None:
    """Draw the growth in a round over η and ρ by eigenvalues, and what the simulations did."""
    etas, rhos = np.geomspace(1e-4, 0.05, 48), np.geomspace(0.3, 50, 48)
    with axes(path, "learning rate η", "elasticity ρ", len(METHODS)) as found:
        for ax, (method, (_, turn)) in zip(found, METHODS.items(), strict=True):
            radii = np.array([[radius(turn, P, eta, rho) for eta in etas] for rho in rhos])
            shown = ax.pcolormesh(etas, rhos, radii, cmap="RdBu_r", vmin=0.997, vmax=1.003)
            for point in points():
                grows = results[name_of(method, *point)][0]["growth"] > 1
                ax.plot(*point, "kx" if grows else "k.")
            ax.set(xscale="log", yscale="log", title=f"{method}, p = {P}; × actors that diverge")
            ax.figure.colorbar(shown, ax=ax, label="growth in a round of p turns")


def section(length: int = ROUNDS) -> Section:
    """Return the section; `length` is how many rounds a simulation has."""
    title = "Where ADMM and EASGD are stable in turns, on f(x) = x²/2"
    made = rows(max(length, 3))
    return Section("stability", title, made, CLAIMS, (), draw, derive, chance=False)
