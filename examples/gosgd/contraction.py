"""How fast peers agree on each graph: measured with the protocol's own pushes, and in closed form.

    python contraction.py            # a minute

First without gradients: by what the disagreement Φ = Σ a²‖x − x̄‖² shrinks a message, as the mean of
many histories, beside what the mixing matrices say. Then with gradients of a noisy quadratic: the
disagreement that p and η leave.
"""

import argparse
import asyncio
from math import exp, log

import torch
from rich.console import Console
from rich.table import Table

from tether.actors import Group
from tether.protocols.choice import Random
from tether.protocols.gosgd import Peer
from tether.protocols.mixing import (
    Graph,
    complete,
    contraction,
    disagreement,
    expected,
    exponential,
    push,
    ring,
)
from tether.protocols.observer import disagreement as apart
from tether.protocols.quadratic import Quadratic

M = 8
MESSAGES = 40
GRAPHS = {"complete": complete, "one-peer exponential": exponential, "ring": ring}


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    asked.add_argument("--histories", type=int, default=300)
    asked.add_argument("--steps", type=int, default=300)
    given = asked.parse_args()
    torch.set_num_threads(1)
    console = Console(highlight=False)
    console.print(asyncio.run(without_gradients(given.histories)))
    console.print(asyncio.run(with_gradients(given.steps)))


def peers(graph: Graph, eta: float, p: float, seed: int) -> list[Peer]:
    """Return M peers of a graph that begin alike."""
    made = []
    for i in range(M):
        learner = Quadratic(16, eta, 1.0, 1.0, optimum=0.0, start=1.0, seed=M * seed + i)
        made.append(Peer(Group(), learner, M, p, 0, choice=Random(seed=M * seed + i)))
    for each, neighbours in zip(made, graph, strict=True):
        each.peers = Group([made[j] for j in neighbours])
    return made


async def without_gradients(histories: int) -> Table:
    """Compare Φ after some messages with the closed form, for peers at unit vectors."""
    title = f"η = 0, {M} peers: by what Φ shrinks a message"
    table = Table(title=title, title_justify="left")
    for column in ("graph", f"measured over {MESSAGES}", "closed form", "in the long run"):
        table.add_column(column, justify="left" if column == "graph" else "right")
    for name, graph in GRAPHS.items():
        draws, phis = Random(seed=1), []
        for _ in range(histories):
            made = peers(graph(M), 0.0, 0.0, 0)
            for i, each in enumerate(made):
                each.learner.x.zero_()[i] = 1.0
            for _ in range(MESSAGES):
                i = draws.one(Group(made))
                j = draws.one(i.peers)
                await i.own.give(i.own.a / 2, 0, j.push)
                await j.learner.apply(j.process_messages)
            a = torch.tensor([each.own.a for each in made], dtype=torch.float64)
            phis.append(disagreement(a, torch.stack([each.learner.x for each in made])))
        first = (1 - 1 / M) / M
        start = (torch.eye(M, dtype=torch.float64) - 1 / M).flatten() / M**2
        moments = torch.linalg.matrix_power(expected(graph(M), push), MESSAGES) @ start
        last = float(moments.view(M, M).trace())
        measured = sum(phis) / len(phis)
        rates = [exp(log(phi / first) / MESSAGES) for phi in (measured, last)]
        table.add_row(name, *(f"{r:.4f}" for r in (*rates, contraction(graph(M), push))))
    return table


async def with_gradients(steps: int) -> Table:
    """Measure the mean ‖xⁱ − x̄‖ over the second half of a run."""
    table = Table(title="‖xⁱ − x̄‖ with gradients, complete graph", title_justify="left")
    rates = (0.01, 0.03, 0.1)
    for column in ("p", *(f"η = {eta}" for eta in rates), "messages"):
        table.add_column(column, justify="right")
    for p in (0.0, 0.02, 0.1, 0.5, 1.0):
        cells, given = [], 0
        for eta in rates:
            made, seen = peers(complete(M), eta, p, 1), []
            for step in range(steps):
                for each in made:
                    each.steps = step + 1
                    await each.run()
                if step >= steps // 2:
                    seen.append(float(apart([each.learner.x for each in made]).mean()))
            cells.append(f"{sum(seen) / len(seen):.4f}")
            given = sum(each.own.given for each in made)
        table.add_row(f"{p}", *cells, f"{given:,}")
    return table


if __name__ == "__main__":
    main()
