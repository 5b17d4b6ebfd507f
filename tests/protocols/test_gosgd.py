from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.protocols.gossiping import merge, peers, push, run_all, still, totals
from tether.actors import ActorGone, Group
from tether.actors.restoring import alone
from tether.actors.state import dump, load
from tether.protocols.choice import Random
from tether.protocols.gosgd import Peer
from tether.protocols.learner import Supervised
from tether.runners.world import World

Regression = Callable[..., Supervised]
DYADIC = st.integers(-64, 64).map(float)
HOPS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=12)


class Drawn(Random):
    """Chooses what it is told to."""

    def __init__(self, *pushes: bool) -> None:
        super().__init__(seed=0)
        self.pushes = list(pushes)

    def happens(self, p: float) -> bool:
        return self.pushes.pop(0)


async def test_two_peers_follow_the_papers_algorithm_by_hand() -> None:
    one, other = peers(8.0, 0.0)

    await push(one, other)  # a 1/2 -> 1/4; x_2 = (1/4·8 + 1/2·0) / (3/4)
    await push(other, one)  # a 3/4 -> 3/8; x_1 = (3/8·8/3 + 1/4·8) / (5/8)

    assert (one.own.a, other.own.a) == (0.625, 0.375)
    assert other.learner.x.item() == pytest.approx(8 / 3)
    assert one.learner.x.item() == pytest.approx(4.8)


async def test_a_run_processes_messages_then_steps_then_pushes() -> None:
    one, other = peers(8.0, 8.0, eta=0.5, steps=1, choice=Drawn(True, False))
    await one.push(torch.tensor([0.0], dtype=torch.float64), 0.5, 0)

    await one.run()

    assert one.learner.x.item() == 2.0  # (8 + 0)/2 = 4, and half of it by the gradient step
    assert [(float(x), a, t) for x, a, t in other.own.queue] == [(2.0, 0.5, 0)]
    assert (other.learner.x.item(), other.own.a, one.own.a) == (8.0, 0.5, 0.5)


async def test_r8_alone_it_is_sgd(regression: Regression) -> None:
    learner, reference = regression(momentum=0.9), regression(momentum=0.9)

    await Peer(Group(), learner, M=1, p=1.0, steps=12).run()
    for _ in range(12):
        await reference.step()

    assert torch.equal(learner.x, reference.x)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(seed=st.integers(0, 99), steps=st.integers(0, 12))
async def test_r1_and_g8_without_pushes_all_are_independent_sgd(
    regression: Regression, seed: int, steps: int
) -> None:
    learners = [regression(seed=seed + k) for k in range(3)]
    references = [regression(seed=seed + k) for k in range(3)]
    made = [Peer(Group(), each, M=3, p=0.0, steps=steps) for each in learners]
    for each in made:
        each.peers = Group([other for other in made if other is not each])

    await run_all(made)
    for reference in references:
        for _ in range(steps):
            await reference.step()

    for learner, reference in zip(learners, references, strict=True):
        assert torch.equal(learner.x, reference.x)
    assert [each.own.given for each in made] == [0, 0, 0]


@given(xs=st.lists(DYADIC, min_size=4, max_size=4), hops=HOPS)
async def test_g1_and_g3_weights_are_conserved_exactly_by_pushes_and_merges(
    xs: list[float], hops: list[tuple[int, int]]
) -> None:
    made = peers(*xs)

    for i, hop in hops:
        await push(made[i], made[(i + hop) % 4])

    assert totals(made)[0] == 1


@given(xs=st.lists(DYADIC, min_size=4, max_size=4), hops=HOPS)
async def test_g2_the_weighted_sum_is_unchanged_by_a_push_and_up_to_rounding_by_a_merge(
    xs: list[float], hops: list[tuple[int, int]]
) -> None:
    made = peers(*xs, steps=1)
    wanted = totals(made)[1]

    for i, hop in hops:
        before = totals(made)[1]
        await made[i].own.give(made[i].own.a / 2, 0, made[(i + hop) % 4].push)
        assert totals(made)[1] == before
        for each in made:
            await merge(each)

    assert abs(totals(made)[1][0] - wanted[0]) <= Fraction(1, 2**40)


@given(
    parcels=st.lists(st.tuples(DYADIC, st.integers(1, 8)), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
async def test_g6_the_order_of_the_queue_changes_only_roundings(
    parcels: list[tuple[float, int]], order: Any
) -> None:
    one, other = peers(1.0, 1.0)
    shuffled = list(parcels)
    order.shuffle(shuffled)

    for each, sent in ((one, parcels), (other, shuffled)):
        for x, a in sent:
            each.own.put(torch.tensor([x], dtype=torch.float64), a / 64, 0)
        await merge(each)

    total = 0.5 + sum(a for _, a in parcels) / 64
    batched = (0.5 + sum(x * a for x, a in parcels) / 64) / total
    assert one.own.a == other.own.a == total
    assert one.learner.x.item() == pytest.approx(other.learner.x.item(), abs=1e-9)
    assert one.learner.x.item() == pytest.approx(batched, abs=1e-9)


@settings(max_examples=5)
@given(xs=st.lists(DYADIC, min_size=4, max_size=4), seed=st.integers(0, 2**32))
async def test_g7_without_gradients_all_come_to_the_initial_mean(
    xs: list[float], seed: int
) -> None:
    made = peers(*xs)
    draws = Random(seed)

    for _ in range(300):
        i = draws.one(Group(made))
        await push(i, draws.one(i.peers))

    mean = sum(xs) / 4
    assert [each.learner.x.item() for each in made] == pytest.approx([mean] * 4, abs=1e-6)
    assert totals(made)[0] == pytest.approx(1, abs=1e-12)


@given(x=DYADIC, after=DYADIC)
async def test_g9_a_queued_x_is_no_alias_of_its_senders(x: float, after: float) -> None:
    """The first bug of the notebook: it queues the live parameters."""
    one, other = peers(x, 0.0, steps=1)

    await one.own.give(0.25, 0, other.push)
    one.learner.x.fill_(after)
    await merge(other)

    assert other.learner.x.item() == pytest.approx(x / 3)


async def test_the_sender_halves_its_own_weight_too() -> None:
    """The second bug of the notebook: there Σ a grows without bound."""
    made = peers(1.0, 1.0, p=1.0, steps=20)

    await run_all(made)

    assert totals(made)[0] == 1
    assert [each.own.given for each in made] == [20, 20]


async def test_nobody_pushes_to_itself() -> None:
    """The third bug of the notebook; in a wiring "@peer[*]" is refused when the run begins."""
    made = peers(1.0, 1.0, 1.0)

    chosen = [made[0].choice.one(made[0].peers) for _ in range(100)]

    assert made[0] not in chosen
    assert set(map(id, chosen)) == {id(made[1]), id(made[2])}


async def test_g10_a_joiner_becomes_the_first_message_to_the_bit(regression: Regression) -> None:
    founder = Peer(Group(), regression(), M=2, p=0.5, steps=4)
    with alone():
        joiner = Peer(Group([founder]), regression(), M=2, p=0.5, steps=0)
    await founder.run()
    await joiner.learner.step()

    await founder.own.give(founder.own.a / 2, 4, joiner.push)

    assert torch.equal(joiner.learner.x, founder.learner.x)
    assert (joiner.own.a, founder.own.a) == (0.25, 0.25)


async def test_who_has_no_weight_pushes_nothing() -> None:
    founder = peers(1.0)[0]
    with alone():
        joiner = Peer(Group([founder]), still(1.0), M=2, p=1.0, steps=3)

    await joiner.run()

    assert (joiner.own.given, joiner.t) == (0, 3)


@given(xs=st.lists(DYADIC, min_size=4, max_size=4), hops=HOPS, order=st.permutations(range(4)))
async def test_g10_who_leaves_takes_no_weight_along(
    xs: list[float], hops: list[tuple[int, int]], order: list[int]
) -> None:
    made = peers(*xs, steps=1)
    for i, hop in hops:
        await made[i].own.give(made[i].own.a / 2, 0, made[(i + hop) % 4].push)

    for i in order[:3]:
        made[i].peers = Group([made[j] for j in order[order.index(i) + 1 :]])
        await made[i].leaving()
    await merge(made[order[3]])

    assert [made[i].own.a for i in order] == [0.0, 0.0, 0.0, 1.0]
    assert made[order[3]].learner.x.item() == pytest.approx(sum(xs) / 4, abs=1e-9)


@given(a_j=st.floats(2.0**-40, 0.5), x_j=DYADIC, x=DYADIC)
async def test_who_is_back_after_its_last_step_merges_though_its_state_is_of_one_before(
    a_j: float, x_j: float, x: float
) -> None:
    with alone():
        back = peers(x, steps=9)[0]
        back.load_state_dict(load(dump(peers(x, steps=9)[0].state_dict())))

    await back.push(torch.tensor([x_j], dtype=torch.float64), a_j, 0)
    await back.push(torch.tensor([x_j], dtype=torch.float64), a_j, 0)

    assert (back.t, back.own.a, back.own.queue) == (0, 2 * a_j, [])
    assert back.learner.x.item() == x_j


async def test_a_joiner_goes_on_from_what_it_has_merged_before_it_runs() -> None:
    founder = peers(8.0)[0]
    with alone():
        joiner = Peer(Group([founder]), still(8.0), 2, 0.0, 0)
    await founder.own.give(0.25, 0, joiner.push)
    founder.learner.x.fill_(-100.0)

    await joiner.run()

    assert (joiner.learner.x.item(), joiner.own.a) == (8.0, 0.25)


async def test_a_leaver_hands_its_whole_weight_over_with_what_it_had_queued() -> None:
    one, other, third = peers(8.0, 0.0, 4.0)
    await other.own.give(other.own.a / 2, 0, one.push)

    await one.leaving()

    assert one.own.a == 0.0
    assert one.own.queue == []
    assert totals([other, third])[0] == totals([one, other, third])[0] == 3 * Fraction(1 / 3)


async def test_a_leaver_goes_on_to_the_next_when_a_peer_cannot_be_reached() -> None:
    class Gone(Peer):
        async def push(self, x: torch.Tensor, a: float, t: int) -> None:
            raise ActorGone("peer/1 is gone: it has left")

    one, other = peers(8.0, 0.0)
    one.peers = Group([Gone(Group(), still(0.0), 2, 0.0, 0), other])

    await one.leaving()

    assert (one.own.a, other.own.a) == (0.0, 1.0)


async def test_who_pushes_to_one_who_is_gone_keeps_its_weight_and_learns_on() -> None:
    class Gone(Peer):
        async def push(self, x: torch.Tensor, a: float, t: int) -> None:
            raise ActorGone("peer/1 is gone: it was given up")

    one = Peer(Group([Gone(Group(), still(8.0), 2, 0.0, 0)]), still(8.0), 2, 1.0, 5)

    await one.run()

    assert (one.own.a, one.own.given, one.t) == (0.5, 0, 5)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
async def test_a_poisoned_push_is_refused_before_anything_changes(wrong: float) -> None:
    one, _ = peers(8.0, 0.0)

    with pytest.raises(ValueError, match="the x of a push has 1 of 1 numbers NaN or infinite"):
        await one.push(torch.tensor([wrong], dtype=torch.float64), 0.5, 0)

    assert (one.learner.x.item(), one.own.a, one.own.queue) == (8.0, 0.5, [])


async def test_a_peer_that_diverges_ends_before_it_poisons_another() -> None:
    one, other = peers(8.0, 8.0, p=1.0, steps=3, eta=1e308)
    one.choice = Drawn(True, True, True)

    with pytest.raises(ValueError, match="x has 1 of 1 numbers NaN or infinite"):
        await one.run()

    assert other.own.queue == []


async def test_a_peer_says_how_old_is_what_it_has_merged() -> None:
    one, other = peers(8.0, 0.0, steps=3)
    other.t, other.steps = 10, 10

    await one.own.give(0.25, 4, other.push)

    assert other.behind == 6


async def test_with_p_auto_it_sees_the_distance_of_what_it_merges() -> None:
    one, other = (Peer(Group(), still(x), 2, "auto", 0, apart=8.0) for x in (8.0, 0.0))

    await push(one, other)

    assert other.rate.p == pytest.approx(1 / 2**0.5)  # the distance is 8, and √2·8 is held


def noisy(p: float) -> list[Peer]:
    """Return two peers on different noise."""
    learners = still(8.0, 0.25, sigma=0.5), still(8.0, 0.25, sigma=2.0)
    one, other = (Peer(Group(), each, 2, p, 0, choice=Random(seed=3)) for each in learners)
    one.peers, other.peers = Group([other]), Group([one])
    return [one, other]


async def in_turn(made: list[Peer], steps: range) -> None:
    """Have all make one step after the other."""
    for step in steps:
        for each in made:
            each.steps = step + 1
            await each.run()


@given(before=st.integers(0, 6), after=st.integers(0, 6), p=st.sampled_from([0.0, 0.5, 1.0]))
async def test_peers_that_are_resumed_go_on_bit_for_bit(before: int, after: int, p: float) -> None:
    undisturbed, first, resumed = noisy(p), noisy(p), noisy(p)
    await in_turn(undisturbed, range(before + after))
    await in_turn(first, range(before))

    for one, other in zip(first, resumed, strict=True):
        other.load_state_dict(load(dump(one.state_dict())))
    await in_turn(resumed, range(before, before + after))

    assert [dump(each.state_dict()) for each in resumed] == [
        dump(each.state_dict()) for each in undisturbed
    ]


def at_eight(eta: float = 0.0) -> Any:
    return still(8.0, eta)


@pytest.mark.parametrize(
    "neighbours",
    ["@peer[others]", ["@peer[-1]", "@peer[+1]"], ["@peer[+1]", "@peer[+2]"]],
    ids=["complete", "ring", "one-peer exponential"],
)
async def test_in_a_world_all_weights_are_1_together_at_the_end(neighbours: Any) -> None:
    rotating = {"make": "tether.protocols.choice:Rotating"}
    table = {
        "actor": Peer, "count": 4, "peers": neighbours, "learner": {"make": at_eight},
        "M": "$count", "p": 0.5, "steps": 40, "choice": rotating,
    }  # fmt: skip

    async with World({"peer": table}) as world:
        await world.finished()
        await asyncio.sleep(0)
        assert world._process is not None
        made = [cell.actor for cell in world._process.node.cells.values()]
        for each in made:
            await merge(each)

    assert totals(made)[0] == 1
    assert sum(each.own.given for each in made) > 40
