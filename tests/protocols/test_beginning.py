from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from tests.protocols.gossiping import still
from tether.actors import ActorGone, Group
from tether.actors.restoring import alone
from tether.protocols.beginning import Beginner, Beginning, Begun, check_alike, digest
from tether.protocols.quadratic import Quadratic
from tether.runners.world import World


class Peer(Beginner):
    """Begins, and does nothing else."""

    def __init__(self, peers: Group[Peer], learner: Quadratic) -> None:
        self.peers, self.learner = peers, learner
        self.beginning = Beginning(learner)

    async def run(self) -> None:
        await self.beginning.begin(self.peers)


def peer(x: float, *others: Peer) -> Peer:
    return Peer(Group(others), still(x))


async def test_peers_that_are_made_alike_begin() -> None:
    one = peer(2.0, peer(2.0), peer(2.0))

    await one.run()

    assert one.beginning.over


async def test_a_peer_that_begins_elsewhere_is_told_with_what_to_do() -> None:
    one = peer(2.0, peer(2.0), peer(3.0))

    with pytest.raises(ValueError, match=r"begins at another x than .* make the network from one"):
        await one.run()


async def test_a_peer_that_has_learned_since_still_began_where_it_did() -> None:
    other = peer(2.0)
    one = peer(2.0, other)
    other.learner.x.fill_(9.0)

    await one.run()

    assert one.learner.x.tolist() == [2.0]


async def test_who_joins_takes_the_x_that_a_peer_has_by_now() -> None:
    other = peer(2.0)
    with alone():
        one = peer(2.0, other)
    other.learner.x.fill_(3.0)

    await one.run()

    assert one.learner.x.tolist() == [3.0]
    assert not other.beginning.joins


async def test_who_comes_back_after_it_was_told_is_told_again() -> None:
    with alone():
        one = peer(2.0, peer(3.0))

    with pytest.raises(ValueError, match="begins at another x than"):
        await one.run()


class Gone(Peer):
    """Has been given up."""

    async def begun(self) -> Begun:
        raise ActorGone("peer/1 is gone: it was given up")


class Leaver(Peer):
    """Leaves while others begin."""

    async def pull(self) -> torch.Tensor:
        raise ActorGone("peer/2 is gone: it has left")


@pytest.mark.parametrize("joins", [False, True])
async def test_who_is_gone_is_passed_over(joins: bool) -> None:
    others = Gone(Group(), still(3.0)), Leaver(Group(), still(2.0)), peer(2.0)
    for other in others:
        other.learner.x.fill_(9.0)

    with alone() if joins else nullcontext():
        one = peer(2.0, *others)
    await one.run()

    assert one.learner.x.tolist() == [9.0 if joins else 2.0]


@pytest.mark.parametrize("gone", [Gone, Leaver])
async def test_who_joins_those_who_are_all_gone_keeps_its_own_x(gone: type[Peer]) -> None:
    with alone():
        one = peer(2.0, gone(Group(), still(2.0)))

    await one.run()

    assert one.learner.x.tolist() == [2.0]
    assert one.beginning.over


async def test_what_came_before_its_run_began_is_where_one_begins() -> None:
    with alone():
        one = peer(2.0, peer(2.0))
    one.learner.x.fill_(9.0)
    one.beginning.placed = True

    waits = one.beginning.waits
    await one.run()

    assert (waits, one.beginning.waits) == (True, False)
    assert one.learner.x.tolist() == [9.0]


async def test_who_joins_nobody_keeps_its_own_x() -> None:
    with alone():
        one = peer(2.0)

    await one.run()

    assert one.learner.x.tolist() == [2.0]


async def test_who_is_resumed_keeps_its_own_x_and_compares_nothing() -> None:
    one = peer(2.0, peer(3.0))
    one.learner.load_state_dict(still(5.0).state_dict())

    await one.run()

    assert one.learner.x.tolist() == [5.0]
    assert not one.learner.resumed


async def test_it_begins_once_though_its_run_is_begun_again() -> None:
    other = peer(2.0)
    with alone():
        one = peer(2.0, other)
    await one.run()
    other.learner.x.fill_(9.0)

    await one.run()

    assert one.learner.x.tolist() == [2.0]


def test_an_actor_among_its_own_peers_is_told_what_to_write() -> None:
    me = Begun("peer/3", "ab")

    with pytest.raises(ValueError, match=r'peer/3 is among its own peers.* "@peer\[others\]"'):
        check_alike(me, [me])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_digest_is_of_the_values_and_the_dtype(dtype: torch.dtype) -> None:
    x = torch.tensor([1.0, 2.0], dtype=dtype)

    same, other = x.clone(), torch.tensor([1.0, 2.5], dtype=dtype)

    assert digest(x) == digest(same)
    assert digest(x) != digest(other)
    assert digest(x) != digest(x.to(torch.float16))


def of_index(index: int, odd: int) -> Quadratic:
    return still(2.0 if index != odd else 3.0)


@pytest.mark.parametrize("peers", ["@peer[others]", ["@peer[-1]"]])
async def test_both_actors_are_named_when_one_of_them_begins_elsewhere(peers: Any) -> None:
    learner = {"make": of_index, "index": "$index", "odd": 1}
    table = {"actor": Peer, "count": 3, "learner": learner, "max_restarts": 0}

    with pytest.raises(RuntimeError, match=r"peer/\d begins at another x than peer/\d \(digests"):
        async with World({"peer": {**table, "peers": peers}}) as world:
            await world.finished()


async def test_a_group_of_all_is_refused_and_one_of_the_others_is_not() -> None:
    learner = {"make": of_index, "index": "$index", "odd": -1}
    table = {"actor": Peer, "count": 2, "learner": learner, "max_restarts": 0}

    async with World({"peer": {**table, "peers": "@peer[others]"}}) as world:
        await world.finished()
    with pytest.raises(RuntimeError, match="is among its own peers, but only others are wanted"):
        async with World({"peer": {**table, "peers": "@peer[*]"}}) as world:
            await world.finished()
