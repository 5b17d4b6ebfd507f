"""A center in slices is the whole one, to the bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.protocols.conftest import build
from tests.simulation.players import CRASHES, NETWORK, TROUBLES, played, run_of
from tether.actors import Group
from tether.protocols.easgd import Center, Worker
from tether.protocols.sharded import Shard, Sharded, slices

values = st.floats(-1e3, 1e3, width=32)


def sharded(x: Tensor, alpha: float, of: int) -> Sharded:
    return Sharded(Group([Shard(x, alpha, index, of) for index in range(of)]))


@pytest.mark.parametrize(
    ("n", "of", "sizes"), [(6, 3, [2, 2, 2]), (7, 3, [3, 2, 2]), (3, 3, [1, 1, 1]), (5, 1, [5])]
)
def test_slices_are_as_equal_as_can_be(n: int, of: int, sizes: list[int]) -> None:
    x = torch.arange(float(n))

    found = slices(x, of)

    assert [len(each) for each in found] == sizes
    assert torch.equal(torch.cat(found), x)


@pytest.mark.parametrize("of", [3, 0])
def test_more_shards_than_numbers_are_refused(of: int) -> None:
    with pytest.raises(ValueError, match=f"x has 2 numbers, but {of} shards want one each or more"):
        Shard(torch.zeros(2), 0.5, 0, of)


@given(
    st.integers(1, 17).flatmap(
        lambda n: st.tuples(
            st.integers(1, n), *[st.lists(values, min_size=n, max_size=n) for _ in range(3)]
        )
    ),
    st.floats(0, 1),
)
async def test_p8_a_sharded_center_is_the_whole_one_bit_for_bit(
    given_: tuple[int, list[float], list[float], list[float]], alpha: float
) -> None:
    of, start, *xs = given_
    whole = Center(torch.tensor(start), alpha)
    parts = sharded(torch.tensor(start), alpha, of)

    for x in map(torch.tensor, xs):
        assert torch.equal(await parts.exchange(x), await whole.exchange(x))

    assert torch.equal(await parts.pull(), await whole.pull())


@pytest.mark.parametrize("of", [1, 3, 26])
async def test_a_worker_ends_at_the_same_bits_with_shards(of: int) -> None:
    found = []
    for center in (Center(torch.zeros(26), 0.3), sharded(torch.zeros(26), 0.3, of)):
        worker = Worker(center, build(), tau=2, steps=8, delta=0.5)
        await worker.run()
        found.append(worker.learner.x)

    assert torch.equal(*found)


async def test_an_x_that_is_not_finite_moves_no_shard() -> None:
    parts = sharded(torch.zeros(4), 0.5, 2)

    with pytest.raises(ValueError, match="x has 1 of 4 numbers NaN or infinite"):
        await parts.exchange(torch.tensor([1.0, 1.0, 1.0, float("nan")]))

    assert (await parts.pull()).tolist() == [0.0] * 4


@pytest.mark.parametrize(("faults", "leaks"), [(TROUBLES, False), ({**TROUBLES, **CRASHES}, True)])
@pytest.mark.parametrize("seed", [0, 1])
def test_shards_conserve_the_sum_among_faults(
    seed: int, faults: dict[str, list[dict[str, object]]], leaks: bool
) -> None:
    tables = run_of(seed)
    center = {**tables["center"], "actor": Shard, "count": 3, "index": "$index", "of": "$count"}
    tables["center"] = center
    tables["worker"]["center"] = {"make": Sharded, "shards": "@center[*]"}

    _, simulation = played(tables, NETWORK, faults)

    assert simulation.broken == {}
    assert bool(simulation.declared.leaks) == leaks
