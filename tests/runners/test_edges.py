"""Who talks to whom, by which transport, and what that may hold."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tether.runners.edges import Edge, bounds, edges, overcommitted, peers
from tether.runners.linker import link
from tether.runners.spec import MIB, Plan

BROKEN = Path(__file__).parent / "broken"
STAR = """
[hosts]
a = "10.0.0.1:5700"
b = "10.0.0.2:5700"
[center]
actor = "pieces:Center"
[worker]
actor = "pieces:Worker"
on = ["a/gpu0", "b/gpu0", "b/gpu1"]
center = "@center"
[probe]
actor = "pieces:Worker"
beside = "center"
center = "@center"
"""


def linked(text: str) -> Plan:
    return link(tomllib.loads(text), BROKEN, name="wiring")


def test_edges_join_tables_by_argument_and_transport() -> None:
    found = edges(linked(STAR))

    assert found == [
        Edge("worker", "center", "center", "ipc", 1),
        Edge("worker", "center", "center", "tcp", 2),
        Edge("probe", "center", "center", "memory", 1),
    ]


def test_peers_of_the_same_process_are_not_counted() -> None:
    found = peers(linked(STAR))

    assert found["center/0"] == 3
    assert found["worker/0"] == 0


def test_bounds_are_peers_times_what_each_may_have_under_way() -> None:
    assert bounds(linked(STAR)) == ["[center] 3 peers × 64 MiB = 192 MiB at most under way to each"]


def test_a_complete_graph_reaches_everyone_from_all_others() -> None:
    plan = linked('[peer]\nactor = "pieces:Peer"\ncount = 4\nothers = "@peer[others]"\n')

    assert edges(plan) == [Edge("peer", "peer", "others", "ipc", 12)]
    assert set(peers(plan).values()) == {3}


def test_more_under_way_than_memory_is_a_sentence() -> None:
    plan = linked(STAR)

    assert overcommitted(plan, 192 * MIB, "a") == []
    (sentence,) = overcommitted(plan, 100 * MIB, "a")
    assert sentence == (
        "[run] bytes = 67108864: 3 pairs of peers may have 192 MiB under way "
        "to host a, which has 100 MiB of memory"
    )
    assert overcommitted(plan, 0, "b") == []


def test_a_live_table_is_counted_with_all_who_may_join() -> None:
    plan = linked(
        '[peer]\nactor = "pieces:Peer"\ncount = { start = 1, min = 1, max = 4 }\n'
        'others = "@peer[others]"\n'
    )

    assert edges(plan) == [Edge("peer", "peer", "others", "ipc", 12)]
    assert bounds(plan) == ["[peer] 3 peers × 64 MiB = 192 MiB at most under way to each"]
