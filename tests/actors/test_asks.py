"""Asks under way are known by number and by whom they were sent to, and hold their lends."""

from __future__ import annotations

import asyncio

from tether.actors.asks import Ask, Asks
from tether.actors.handlers import handlers
from tether.actors.memory import Pool
from tether.actors.message import Body, Part


class Center:
    async def exchange(self) -> None: ...


def ask(number: int, target: str = "center/0", address: int = 0) -> Ask:
    loop = asyncio.get_running_loop()
    body = Body(b"", (Part(8, address=address),))
    handler = handlers(Center)["exchange"]
    return Ask(number, "worker/0", target, handler, body, loop.create_future())


async def test_memory_is_lent_while_any_ask_that_reads_it_is_open() -> None:
    pool = Pool()
    asks = Asks(pool)
    for number in (1, 2):
        asks.open(ask(number, address=640))

    asks.close(1)
    between = pool.is_lent(640)
    asks.close(2)

    assert (between, pool.is_lent(640), len(asks)) == (True, False, 0)


async def test_an_ask_is_closed_once() -> None:
    asks = Asks(Pool())
    opened = ask(1)
    asks.open(opened)

    assert asks.close(1) is opened
    assert asks.close(1) is None


async def test_closing_an_ask_ends_its_timer() -> None:
    asks = Asks(Pool())
    opened = ask(1)
    opened.timer = asyncio.get_running_loop().call_later(60, print)
    asks.open(opened)

    asks.close(1)

    assert opened.timer.cancelled()


async def test_asks_are_found_by_whom_they_were_sent_to() -> None:
    asks = Asks(Pool())
    for number, target in enumerate(("center/0", "center/1", "center/0")):
        asks.open(ask(number, target))

    assert [found.number for found in asks.to("center/0")] == [0, 2]
