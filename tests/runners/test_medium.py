"""The simulated network: what becomes of each packet on its way between two processes."""

from __future__ import annotations

import asyncio
import io
import math
from hashlib import blake2b
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import Air, Inbox, virtual
from tether.runners.distribution import Distribution, fixed
from tether.runners.medium import Count, Endpoint, Trouble, total
from tether.runners.network import Rule
from tether.runners.trace import Trace
from tether.runners.virtual import run

HEADER = msgpack.packb([])


def frame(size: int, letter: str = "x") -> bytes:
    return letter.encode() * size


@virtual
async def test_a_packet_takes_its_size_over_the_bandwidth_and_then_the_latency() -> None:
    air = await Air().start()

    air.send(frame(25))
    await asyncio.sleep(9)

    assert air.inbox.came == [(0.75, frame(25))]
    assert air.count == Count(packets=1, bytes=25)
    assert air.inbox.within == {air.scopes["center-0"]}


@virtual
async def test_packets_wait_for_those_before_them_to_leave() -> None:
    air = await Air().start()

    air.send(frame(50, "a"), frame(100, "b"))
    await asyncio.sleep(4)
    air.send(frame(25, "c"))
    await asyncio.sleep(9)

    assert [(t, data[:1]) for t, data in air.inbox.came] == [(1.0, b"a"), (2.0, b"b"), (4.75, b"c")]


@virtual
async def test_control_never_waits_for_bulk() -> None:
    air = await Air().start()

    air.worker.send_chunk("center-0", HEADER, memoryview(frame(999, "b")))
    air.send(frame(50, "a"))
    await asyncio.sleep(20)

    assert [(t, len(data)) for t, data in air.inbox.came] == [(1.0, 50), (10.5, 1000)]
    assert air.count == Count(packets=2, bytes=1050)


@virtual
async def test_the_bytes_of_a_chunk_are_those_it_had_when_it_was_sent() -> None:
    air, data = await Air().start(), bytearray(b"before")

    air.worker.send_chunk("center-0", HEADER, memoryview(data))
    data[:] = b"after."
    await asyncio.sleep(1)

    assert [said for _, said in air.inbox.came] == [HEADER + b"before"]


@virtual
async def test_what_would_overtake_waits_to_keep_the_order() -> None:
    air = await Air({"latency": Distribution("trace", (3.0, 0.1, 1.0)), "bandwidth": 1e9}).start()

    air.send(b"a", b"b")
    await asyncio.sleep(5)
    air.send(b"c")
    await asyncio.sleep(5)

    assert [data for _, data in air.inbox.came] == [b"a", b"b", b"c"]
    assert [t for t, _ in air.inbox.came] == pytest.approx([3.0, 3.0, 6.0])


@virtual
async def test_what_is_reordered_comes_late_and_is_overtaken() -> None:
    air = await Air({"reorder": 0.5, "late": 8.0, "bandwidth": 1e9}).start()

    sent = [bytes([n]) for n in range(100)]
    air.send(*sent)
    await asyncio.sleep(20)

    came = [data for _, data in air.inbox.came]
    late = [data for t, data in air.inbox.came if t > 0.501]
    assert came != sent == sorted(came)
    assert 30 < len(late) == air.count.late < 70
    assert [data for data in came if data not in late] == [d for d in sent if d not in late]
    assert all(t < 8.51 for t, _ in air.inbox.came)


@virtual
async def test_what_is_doubled_comes_twice_the_second_time_later() -> None:
    air = await Air({"duplicate": 1.0, "late": 2.0, "bandwidth": 1e9}).start()

    air.send(b"a")
    await asyncio.sleep(5)

    (first, one), (second, other) = air.inbox.came
    assert (one, other) == (b"a", b"a")
    assert first == pytest.approx(0.5)
    assert 0.5 < second < 2.5
    assert air.count == Count(packets=1, bytes=1, doubled=1)


@virtual
async def test_a_share_of_packets_is_lost() -> None:
    air = await Air({"loss": 0.25, "bandwidth": 1e9}).start()

    air.send(*(bytes([n % 256]) for n in range(1000)))
    await asyncio.sleep(5)

    assert len(air.inbox.came) == 1000 - air.count.lost
    assert 200 < air.count.lost < 300


@virtual
async def test_what_is_lost_takes_no_bandwidth() -> None:
    air = await Air({"loss": 1.0}).start()

    air.send(frame(1000))
    air.medium.begin(Trouble((Rule("*", "*", {"loss": 0.0}),)))
    air.send(frame(50))
    await asyncio.sleep(5)

    assert air.inbox.came == [(1.0, frame(50))]


@virtual
async def test_a_cut_lets_nothing_through_until_it_ends_but_what_is_under_way_arrives() -> None:
    air, cut = await Air().start(), Trouble((Rule("*", "*", {}),), cut=True)

    air.send(frame(10, "a"))
    air.medium.begin(cut)
    air.send(frame(10, "b"))
    air.center.send("worker-0", frame(10))
    await asyncio.sleep(5)
    air.medium.end(cut)
    air.send(frame(10, "c"))
    await asyncio.sleep(5)

    assert [data[:1] for _, data in air.inbox.came] == [b"a", b"c"]
    assert air.count == Count(packets=3, bytes=30, lost=1)
    assert air.medium.edge("center-0", "worker-0").count == Count(packets=1, bytes=10, lost=1)


@virtual
async def test_of_two_troubles_the_later_one_holds_and_each_ends_alone() -> None:
    air = await Air().start()
    slow = Trouble((Rule("worker/0", "*", {"latency": fixed(2.0), "duplicate": 1.0}),))
    slower = Trouble((Rule("*", "center", {"latency": fixed(4.0)}),))
    edge, seen = air.medium.edge("worker-0", "center-0"), list[tuple[float, float]]()

    for change, trouble in (
        (air.medium.begin, slow),
        (air.medium.begin, slower),
        (air.medium.end, slow),
        (air.medium.end, slower),
    ):
        change(trouble)
        seen.append((edge.route.latency.numbers[0], edge.route.duplicate))

    assert seen == [(2.0, 1.0), (4.0, 1.0), (4.0, 0.0), (0.5, 0.0)]


@virtual
async def test_what_nobody_hears_is_lost() -> None:
    air = await Air().start()

    air.send(b"a")
    await air.center.close(0.5)
    await asyncio.sleep(5)
    air.send(b"b")
    await asyncio.sleep(5)

    assert air.inbox.came == []
    assert air.count == Count(packets=2, bytes=2, lost=2)


@virtual
async def test_who_is_not_started_or_is_cut_sends_nothing() -> None:
    air = Air()
    air.send(b"early")
    await air.start()

    air.worker.cut()
    air.send(b"late")
    air.worker.send_chunk("center-0", HEADER, memoryview(b"late"))
    air.worker.cut()
    await asyncio.sleep(5)

    assert air.medium.edges == {}


@virtual
async def test_who_takes_a_name_over_gets_what_is_sent_to_it() -> None:
    air, next_inbox = await Air().start(), Inbox()
    follower = Endpoint(air.medium, "center-0", air.scopes["center-0"])

    air.send(b"a")
    await follower.start(next_inbox)
    air.center.cut()
    air.worker.renew("center-0")
    await asyncio.sleep(5)

    assert (air.inbox.came, [data for _, data in next_inbox.came]) == ([], [b"a"])


@virtual
async def test_what_comes_for_a_stopped_process_waits_in_its_socket() -> None:
    air = await Air({"bandwidth": 1e12}).start()
    center = air.scopes["center-0"]

    center.stop()
    air.send(b"a", b"b")
    await asyncio.sleep(5)
    before = [*air.inbox.came]
    center.go_on()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert before == []
    assert air.inbox.came == [(5.0, b"a"), (5.0, b"b")]


@virtual
async def test_what_comes_when_a_process_goes_on_comes_after_what_waited() -> None:
    air = await Air({"bandwidth": math.inf}).start()
    air.scopes["center-0"].stop()
    air.loop.call_at(2.0, air.scopes["center-0"].go_on)

    air.send(b"a")
    air.loop.call_at(1.5, air.send, b"b")
    await asyncio.sleep(5)

    assert air.inbox.came == [(2.0, b"a"), (2.0, b"b")]


@pytest.mark.parametrize("end", ["stop", "kill"])
@virtual
async def test_what_is_under_way_arrives_whatever_becomes_of_its_sender(end: str) -> None:
    air = await Air().start()

    air.send(frame(50))
    getattr(air.scopes["worker-0"], end)()
    await asyncio.sleep(5)

    assert air.inbox.came == [(1.0, frame(50))]


@virtual
async def test_the_world_outside_hears_and_belongs_to_no_process() -> None:
    air, inbox = await Air().start(), Inbox()
    await Endpoint(air.medium, "world").start(inbox)

    air.worker.send("world", frame(50))
    await asyncio.sleep(5)

    assert (inbox.came, inbox.within) == ([(1.0, frame(50))], {None})


@virtual
async def test_the_trace_has_what_is_sent_and_what_goes_wrong() -> None:
    file = io.StringIO()
    air = await Air({"duplicate": 1.0, "reorder": 1.0}, trace=Trace(file)).start()

    air.worker.send("center-0", msgpack.packb([2, [], []]))
    await air.center.close(0)
    air.medium.begin(Trouble((Rule("*", "*", {}),), cut=True))
    air.worker.send_chunk("center-0", msgpack.packb([2, "run"]), memoryview(b"xyz"))
    await asyncio.sleep(5)

    lines = [line.split(maxsplit=1)[1] for line in file.getvalue().splitlines()]
    assert lines == [
        "frame worker-0 center-0 4 [2, [], []]",
        "late worker-0 center-0",
        "doubled worker-0 center-0",
        f"chunk worker-0 center-0 9 [2, 'run'] {blake2b(b'xyz', digest_size=8).hexdigest()}",
        "lost worker-0 center-0",
        "unheard worker-0 center-0",
        "unheard worker-0 center-0",
    ]


@virtual
async def test_what_went_over_some_edges_is_added_up() -> None:
    air = await Air({"duplicate": 1.0}).start()

    air.send(frame(10), frame(20))
    air.center.send("worker-0", frame(5))

    assert total(air.medium.edges.values()) == Count(packets=3, bytes=35, doubled=3)


SENT = st.lists(st.tuples(st.floats(0, 2), st.integers(1, 500)), min_size=1, max_size=25)


def arrivals(sent: list[tuple[float, int]], seed: int = 7, **keys: Any) -> list[tuple[float, int]]:
    """Return when each packet came, by its number, of those sent after such pauses."""

    async def main() -> list[tuple[float, int]]:
        air = await Air(keys, seed=seed).start()
        for number, (pause, size) in enumerate(sent):
            await asyncio.sleep(pause)
            air.send(bytes([number]) * size)
        await asyncio.sleep(1000)
        return [(t, data[0]) for t, data in air.inbox.came]

    return run(main())


@given(SENT)
def test_each_packet_leaves_when_the_one_before_has_left(sent: list[tuple[float, int]]) -> None:
    came = arrivals(sent)

    clock = free = 0.0
    for number, (pause, size) in enumerate(sent):
        clock += pause
        free = max(clock, free) + size / 100.0
        assert came[number] == (free + 0.5, number)


@given(SENT, st.integers(0, 2**32))
def test_order_is_kept_unless_it_is_not_to_be(sent: list[tuple[float, int]], seed: int) -> None:
    came = arrivals(sent, seed, latency=Distribution("exponential", (5.0,)), duplicate=0.0)

    assert [number for _, number in came] == list(range(len(sent)))
    assert came == sorted(came)


@given(SENT, st.integers(0, 2**32))
def test_the_same_seed_does_the_same_to_all(sent: list[tuple[float, int]], seed: int) -> None:
    keys = {"loss": 0.3, "duplicate": 0.3, "reorder": 0.3, "late": 1.0}

    assert arrivals(sent, seed, **keys) == arrivals(sent, seed, **keys)
