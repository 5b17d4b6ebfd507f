from __future__ import annotations

import asyncio
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.gossiping import merge, peers, push
from tether.actors import Group
from tether.protocols import mixing
from tether.protocols.choice import Rotating
from tether.protocols.mixing import (
    complete,
    contraction,
    disagreement,
    expected,
    exponential,
    messages,
    pair_on_complete,
    push_on_complete,
    ring,
    round_of,
)

GRAPHS = {"complete": complete, "ring": ring, "exponential": exponential}
EVENTS = {"push": mixing.push, "pair": mixing.pair}


def test_graphs_say_who_sends_to_whom() -> None:
    assert complete(3) == [[1, 2], [0, 2], [0, 1]]
    assert ring(4) == [[1, 3], [0, 2], [1, 3], [0, 2]]
    assert ring(2) == [[1], [0]]
    assert exponential(5)[3] == [4, 0, 2]
    assert exponential(8)[1] == [2, 3, 5]


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("M", [2, 4, 5])
def test_a_push_moves_nothing_out_of_the_sum_and_a_pair_keeps_agreement_too(
    graph: str, M: int
) -> None:
    ones = torch.ones(M, dtype=torch.float64)

    pushes = [A for _, A in messages(GRAPHS[graph](M), mixing.push)]
    pairs = [A for _, A in messages(GRAPHS[graph](M), mixing.pair)]

    assert all(torch.equal(ones @ A, ones) for A in pushes + pairs)
    assert all(torch.equal(A @ ones, ones) for A in pairs)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_chances_of_all_messages_are_1_together(graph: str, event: str) -> None:
    chances = [chance for chance, _ in messages(GRAPHS[graph](6), EVENTS[event])]

    assert sum(chances) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("M", [2, 3, 4, 8])
def test_on_the_complete_graph_the_eigenvalue_is_the_closed_form(M: int) -> None:
    graph = complete(M)

    assert contraction(graph, mixing.push) == pytest.approx(push_on_complete(M), abs=1e-12)
    assert contraction(graph, mixing.pair) == pytest.approx(pair_on_complete(M), abs=1e-12)


@given(d=st.lists(st.integers(-8, 8), min_size=4, max_size=4))
def test_on_the_complete_graph_one_push_shrinks_any_disagreement_by_the_closed_form(
    d: list[int],
) -> None:
    vector = torch.tensor(d, dtype=torch.float64)
    vector -= vector.mean()

    found = sum(
        chance * float((A @ vector).square().sum())
        for chance, A in messages(complete(4), mixing.push)
    )

    assert found == pytest.approx(float(vector.square().sum()) * push_on_complete(4), abs=1e-9)


def test_a_ring_agrees_more_slowly_than_hops_and_these_more_slowly_than_all() -> None:
    found = [contraction(graph(8), mixing.push) for graph in (complete, exponential, ring)]

    assert found == sorted(found)
    assert found[-1] < 1


@pytest.mark.parametrize("graph", GRAPHS)
async def test_g7_the_protocols_own_pushes_contract_as_the_matrices_say(graph: str) -> None:
    """All sequences of two messages there are among four peers, each played by real peers."""
    known = GRAPHS[graph](4)
    senders = [(i, j) for i in range(4) for j in known[i]]
    chance = 1 / (4 * len(known[0]))
    start = torch.tensor([8.0, 0.0, 4.0, -20.0], dtype=torch.float64).unsqueeze(1)

    found = 0.0
    for first, second in product(senders, senders):
        made = peers(*start.flatten().tolist())
        for i, j in (first, second):
            await push(made[i], made[j])
        a = torch.tensor([each.own.a for each in made], dtype=torch.float64)
        x = torch.stack([each.learner.x for each in made])
        found += chance**2 * disagreement(a, x)

    d = (start - start.mean()) / 4
    C = torch.linalg.matrix_power(expected(known, mixing.push), 2) @ (d @ d.T).flatten()
    assert found == pytest.approx(float(C.view(4, 4).trace()), rel=1e-12)


@pytest.mark.parametrize("M", [2, 4, 8, 16])
async def test_hops_in_turn_make_all_agree_to_the_bit_after_log2_of_m_rounds(M: int) -> None:
    made = peers(*(float(2**i) for i in range(M)), steps=1)
    graph, turns = exponential(M), [Rotating() for _ in range(M)]

    for _ in range(M.bit_length() - 1):
        chosen = [turns[i].one(Group([made[j] for j in graph[i]])) for i in range(M)]
        for each, j in zip(made, chosen, strict=True):
            await each.own.give(each.own.a / 2, 0, j.push)
        await asyncio.gather(*map(merge, made))

    assert [each.own.a for each in made] == [1 / M] * M
    assert [each.learner.x.item() for each in made] == [(2**M - 1) / M] * M


def test_a_round_of_hops_is_a_product_that_is_the_mean() -> None:
    graph = exponential(8)

    mixed = round_of(graph, 2) @ round_of(graph, 1) @ round_of(graph, 0)

    assert torch.equal(mixed, torch.full((8, 8), 1 / 8, dtype=torch.float64))


def test_the_disagreement_is_of_weighted_distances_from_the_weighted_mean() -> None:
    a = torch.tensor([0.25, 0.75], dtype=torch.float64)
    x = torch.tensor([[4.0], [0.0]], dtype=torch.float64)

    assert disagreement(a, x) == 0.75**2 * 2
