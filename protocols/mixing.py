"""What gossip does to a vector of peers, as matrices: graphs, events, and how fast peers agree.

An event is a matrix A by which d ← A d. Of push-sum (GoSGD, SGP) d_i = a_i(x_i − x̄), of pairwise
averaging (AD-PSGD) d_i = x_i − x̄; both sum to zero, and Φ = Σ ‖d_i‖² is the disagreement. All is
float64. Boyd, Ghosh, Prabhakar & Shah, "Randomized gossip algorithms", IEEE Trans. Inf. Theory
2006, section II, for pairs; for a push the same argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Graph = Sequence[Sequence[int]]
"""For each peer, those that it sends to."""
Event = Callable[[int, int, int], Tensor]
"""Makes the matrix of a message from i to j among M peers: `push` or `pair`."""


def complete(M: int) -> Graph:
    """Return the graph in which everybody knows all others: `"@peer[others]"`."""
    return [[j for j in range(M) if j != i] for i in range(M)]


def ring(M: int) -> Graph:
    """Return the ring that goes both ways: `["@peer[-1]", "@peer[+1]"]`."""
    return [sorted({(i - 1) % M, (i + 1) % M} - {i}) for i in range(M)]


def exponential(M: int) -> Graph:
    """Return the graph of hops 1, 2, 4, …: `["@peer[+1]", "@peer[+2]", "@peer[+4]"]` for 8."""
    hops = [2**k for k in range((M - 1).bit_length())]
    return [[(i + hop) % M for hop in hops] for i in range(M)]


def push(M: int, i: int, j: int) -> Tensor:
    """Return what half of a peer's share does on its way to another one: every column sums to 1."""
    A = torch.eye(M, dtype=torch.float64)
    A[i, i], A[j, i] = 0.5, 0.5
    return A


def pair(M: int, i: int, j: int) -> Tensor:
    """Return what two do that meet half-way: every row and every column sums to 1."""
    A = torch.eye(M, dtype=torch.float64)
    A[i, i] = A[i, j] = A[j, i] = A[j, j] = 0.5
    return A


def messages(graph: Graph, event: Event) -> Iterator[tuple[float, Tensor]]:
    """Yield each message there may be, with its chance: any sender, then any it sends to."""
    M = len(graph)
    for i, neighbours in enumerate(graph):
        for j in neighbours:
            yield 1 / (M * len(neighbours)), event(M, i, j)


def round_of(graph: Graph, turn: int) -> Tensor:
    """Return what a round does in which all push half at once, each to its neighbour of a turn."""
    M = len(graph)
    moved = [push(M, i, to[turn % len(to)]) - torch.eye(M) for i, to in enumerate(graph)]
    return torch.eye(M, dtype=torch.float64) + torch.stack(moved).sum(0)


def expected(graph: Graph, event: Event) -> Tensor:
    """Return the matrix of C ← E[A C Aᵀ], with C = E[d dᵀ] as a column of M² numbers."""
    return torch.stack([chance * torch.kron(A, A) for chance, A in messages(graph, event)]).sum(0)


def contraction(graph: Graph, event: Event) -> float:
    """Return by what Φ shrinks a message in the long run, on average over all that may happen.

    It is the largest eigenvalue of `expected`, on those C whose rows and columns sum to zero.
    """
    M = len(graph)
    centered = torch.eye(M, dtype=torch.float64) - 1 / M
    operator = expected(graph, event) @ torch.kron(centered, centered)
    return float(torch.linalg.eigvals(operator).abs().max())


def push_on_complete(M: int) -> float:
    """Return E[Φ']/Φ of one push, from any d: 1 − 1/2M − 1/M(M − 1).

    A push changes Φ by −½‖d_i‖² + d_i·d_j, and all d_i·d_j with i ≠ j are −Φ together.
    """
    return 1 - 1 / (2 * M) - 1 / (M * (M - 1))


def pair_on_complete(M: int) -> float:
    """Return E[Φ']/Φ of one pair that meets, from any d: 1 − 1/(M − 1).

    A pair changes Φ by −½‖d_i − d_j‖², which is −Φ/(M − 1) on average.
    """
    return 1 - 1 / (M - 1)


def disagreement(a: Tensor, x: Tensor) -> float:
    """Return Φ of peers with the weights a (M) at x (M × n): Σ a_i² ‖x_i − x̄‖², x̄ by weights."""
    mean = (a @ x) / a.sum()
    return float(((x - mean) * a.unsqueeze(1)).square().sum())
