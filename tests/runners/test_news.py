"""What a process tells its run a few times a second."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.runners.shares import Share
from tether.actors.ref import Ref
from tether.actors.report import report


class Busy:
    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def wait(self) -> None:
        await self.gate.wait()


class Caller:
    def __init__(self, busy: Ref[Busy]) -> None:
        self.busy = busy

    async def run(self) -> None:
        report(loss=0.5)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(self.busy.wait())


TABLES: dict[str, Any] = {
    "run": {"messages": 2},
    "busy": {"actor": Busy},
    "caller": {"actor": Caller, "busy": "@busy"},
}


async def waiting() -> Share:
    share = await Share(TABLES).begin()
    await share.until(lambda: len(share.process.node.cells["busy/0"].mailbox) == 1)
    return share


async def test_what_was_reported_is_told_once_with_the_traffic_so_far() -> None:
    share = await waiting()

    share.process.news.flush()
    share.process.news.flush()
    first, second = share.told.of("news")[-2:]
    share.actor("busy/0").gate.set()
    await share.told.until("ended")
    await share.close()

    ((t, actor, step, metrics),) = first[0]
    assert t <= share.process.node.clock.now()
    assert (actor, step, metrics) == ("caller/0", None, {"loss": 0.5})
    assert second[0] == []
    assert first[1] == second[1]
    assert second[1]["caller/0"][0] == 4


async def test_who_waits_and_who_is_held_back_is_told_until_it_is_over() -> None:
    share = await waiting()

    share.process.news.flush()
    during = share.told.of("news")[-1][2]
    share.actor("busy/0").gate.set()
    await share.told.until("ended")
    share.process.news.flush()
    after = share.told.of("news")[-1][2]
    share.process.news.flush()
    later = share.told.of("news")[-1][2]
    await share.close()

    assert during == {"busy/0": [1, 0], "caller/0": [0, 2]}
    assert after == {"busy/0": [0, 0], "caller/0": [0, 0]}
    assert later == {}


async def test_news_are_told_again_and_again_until_the_end() -> None:
    share = await waiting()

    await share.told.until("news", 2)
    share.actor("busy/0").gate.set()
    await share.told.until("ended")
    await share.close()
    told = len(share.told.of("news"))
    await asyncio.sleep(0)

    assert share.told.words[-1] == ["closed"]
    assert len(share.told.of("news")) == told
