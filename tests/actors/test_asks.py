"""Asks under way are known by number and by whom they were sent to, and hold their lends."""

from __future__ import annotations

import asyncio

from tether.actors.asks import Ask, Asks
from tether.actors.handlers import handlers
from tether.actors.link import Link
from tether.actors.memory import Pool
from tether.actors.message import Body, Kind, Message, Part
from tether.actors.packet import Pair


class Center:
    async def exchange(self) -> None: ...


def link(target: str = "center/0") -> Link:
    return Link(bytearray, pair=Pair("worker/0", target, 1, 1))


def ask(
    number: int, over: Link | None = None, address: int = 0, chain: tuple[tuple[str, int], ...] = ()
) -> Ask:
    loop = asyncio.get_running_loop()
    body = Body(b"", parts=(Part(8, address=address),))
    message = Message(Kind.ASK, number, "exchange", body, chain=chain)
    handler = handlers(Center)["exchange"]
    return Ask(message, over or link(), handler, loop.create_future())


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


async def test_asks_are_found_by_the_link_they_went_out_over() -> None:
    asks, first, second = Asks(Pool()), link(), link("center/1")
    for number, over in enumerate((first, second, first)):
        asks.open(ask(number, over))

    assert [found.number for found in asks.over(first)] == [0, 2]
    assert [found.target for found in asks] == ["center/0", "center/1", "center/0"]


async def test_asks_are_found_by_the_turn_they_were_made_in() -> None:
    asks = Asks(Pool())
    chains = [(), (("a/0", 3),), (("a/0", 3), ("b/0", 4)), (("b/0", 4), ("a/0", 3))]
    for number, chain in enumerate(chains):
        asks.open(ask(number, chain=chain))

    assert [found.number for found in asks.within("a/0", 3)] == [1, 3]
    assert asks.within("a/0", 4) == []


async def test_an_ask_under_way_is_known_by_its_number() -> None:
    asks = Asks(Pool())
    opened = ask(7)
    asks.open(opened)

    assert asks.get(7) is opened
    assert asks.get(8) is None
