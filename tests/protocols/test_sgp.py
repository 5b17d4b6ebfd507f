from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.conftest import build
from tests.protocols.gossiping import still, totals, until
from tether.actors import ActorGone, Group, Unreachable
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.choice import Rotating
from tether.protocols.mixing import exponential, round_of
from tether.protocols.quadratic import Noise
from tether.protocols.sgp import Peer
from tether.runners import virtual


def on_hops(
    xs: list[float], steps: int, eta: float = 0.0, sigma: float = 0.0, tau: int = 0
) -> list[Peer]:
    """Return peers on the one-peer exponential graph, each at its z."""
    learners = [still(x, eta, sigma) for x in xs]
    for seed, learner in enumerate(learners):
        learner._noise.seed = seed
    return graphed([Peer(Group(), each, steps, tau) for each in learners])


def graphed(made: list[Peer]) -> list[Peer]:
    for each, neighbours in zip(made, exponential(len(made)), strict=True):
        each.peers = Group([made[j] for j in neighbours])
        each.beginning.over = True  # they begin apart, which is what is to be seen
    return made


async def run_all(made: list[Peer]) -> list[list[float]]:
    await asyncio.gather(*(each.run() for each in made))
    return [each.learner.x.tolist() for each in made]


@pytest.mark.parametrize("M", [2, 4, 8])
async def test_without_gradients_all_are_at_the_mean_after_log2_of_m_steps(M: int) -> None:
    made = on_hops([float(2**i) for i in range(M)], steps=M.bit_length() - 1)

    zs = await run_all(made)

    assert zs == [[(2**M - 1) / M]] * M
    assert [each.own.a for each in made] == [1.0] * M


@given(z=st.lists(st.integers(-8, 8).map(float), min_size=4, max_size=4), steps=st.integers(0, 7))
async def test_it_is_x_minus_eta_g_times_the_mixing_matrix_bit_for_bit(
    z: list[float], steps: int
) -> None:
    graph, made = exponential(4), on_hops(z, steps, eta=0.25, sigma=1.0)
    noises = [Noise(1, 1.0, seed) for seed in range(4)]
    x = torch.tensor(z, dtype=torch.float64).unsqueeze(1)

    zs = await run_all(made)
    for t in range(steps):
        noise = torch.stack([each.take() for each in noises])
        x = round_of(graph, t) @ (x - 0.25 * (x + noise))

    assert zs == x.tolist()


async def test_r1_alone_with_a_peer_at_the_same_batches_it_is_sgd() -> None:
    """R6 too: all are fed the same batches."""
    made = graphed([Peer(Group(), build(momentum=0.9), 12) for _ in range(2)])
    reference = build(momentum=0.9)

    await run_all(made)
    for _ in range(12):
        await reference.step()

    assert all(torch.equal(each.learner.x, reference.x) for each in made)


@given(tau=st.integers(0, 3), steps=st.integers(0, 9))
async def test_sums_of_x_and_w_are_conserved_whatever_the_staleness(tau: int, steps: int) -> None:
    made = on_hops([8.0, -4.0, 2.0, 6.0], steps, tau=tau)

    await run_all(made)

    w, (x,) = totals(made)
    assert w == 4
    assert abs(x - 12) < Fraction(1, 2**40)


@pytest.mark.parametrize("tau", [0, 1, 3])
async def test_nobody_uses_what_is_more_than_tau_steps_behind(tau: int) -> None:
    made = on_hops([1.0] * 4, steps=9, tau=tau)
    slow, furthest = made[0], 0

    async def run_slowly() -> None:
        for step in range(9):
            slow.steps = step + 1
            await slow.run()
            for _ in range(20):
                await asyncio.sleep(0)

    async def watch() -> None:
        nonlocal furthest
        while slow.t < 9:
            furthest = max(furthest, max(each.t for each in made) - slow.t)
            await asyncio.sleep(0)

    await asyncio.gather(run_slowly(), watch(), *(each.run() for each in made[1:]))

    assert [each.t for each in made] == [9] * 4
    assert all(0 <= each.behind <= tau for each in made[1:])
    assert furthest <= 2 * (tau + 1)


async def test_a_gradient_is_divided_by_the_weight() -> None:
    """The numerator moves by ηg: here x = w·z = 1/2·8, and g(z) = 8."""
    (one, other) = on_hops([8.0, 8.0], steps=0, eta=0.25)
    await one.own.give(0.5, 0, other.push)
    one.steps, one.arrivals.bounded, one.peers = 1, False, Group([other])

    await one.run()

    assert one.learner.x.item() == 8.0 - 0.25 * 8.0 / 0.5
    assert one.own.a == 0.25


async def test_when_somebody_has_died_nobody_waits_any_more() -> None:
    one, other = on_hops([8.0, 8.0], steps=3)
    running = asyncio.ensure_future(one.run())
    await until(lambda: bool(one.own.given))

    await one.down(other, Unreachable("peer/1 is unreachable"))
    await asyncio.sleep(0)
    waits = not running.done()
    await one.down(other, ActorGone("peer/1 is gone: it was killed"))
    await running

    assert waits
    assert one.t == 3


async def test_who_comes_back_alone_has_no_weight_until_it_is_sent_some_and_waits_for_nobody() -> (
    None
):
    founder = on_hops([1.0], steps=0)[0]
    with alone():
        back = Peer(Group([founder]), still(1.0), steps=2)
    founder.learner.x.fill_(8.0)
    await founder.own.give(0.5, 40, back.push)
    founder.arrivals.unbound()

    await back.run()

    assert back.learner.x.item() == 8.0
    assert (back.own.a, back.own.given, founder.own.a) == (0.125, 2, 0.875)


@given(before=st.integers(0, 5), after=st.integers(0, 5), tau=st.integers(0, 2))
async def test_peers_that_are_resumed_go_on_as_if_never_interrupted(
    before: int, after: int, tau: int
) -> None:
    xs = [8.0, -4.0, 2.0, 6.0]
    undisturbed = on_hops(xs, before + after, eta=0.25, sigma=1.0)
    first = on_hops(xs, before, eta=0.25, sigma=1.0)
    resumed = on_hops(xs, before + after, eta=0.25, sigma=1.0)
    await run_all(undisturbed)
    await run_all(first)

    for one, other in zip(first, resumed, strict=True):
        other.load_state_dict(load(dump(one.state_dict())))
    zs = await run_all(resumed)

    assert zs == [each.learner.x.tolist() for each in undisturbed]


def test_what_resuming_has_lost_is_missed_after_a_while() -> None:
    async def main() -> list[Peer]:
        xs = [8.0, -4.0]
        early, late, resumed = on_hops(xs, 3), on_hops(xs, 4), on_hops(xs, 6)
        await run_all(early)
        await run_all(late)
        for one, other in zip((early[0], late[1]), resumed, strict=True):
            other.load_state_dict(load(dump(one.state_dict())))
        resumed[0].arrivals.patience /= 2  # or who waits for it would give up at the same moment
        await run_all(resumed)
        return resumed

    resumed = virtual.run(main())  # where patience takes no time

    assert [each.t for each in resumed] == [6, 6]
    assert [each.arrivals.missed for each in resumed] == [1, 0]  # the push of step 3 is nowhere


def test_the_peer_whose_turn_it_is_comes_from_a_rotation() -> None:
    assert isinstance(on_hops([1.0, 1.0], 1)[0].choice, Rotating)
