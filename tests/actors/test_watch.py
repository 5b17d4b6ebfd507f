"""What may be lost is looked at again and again until it is acknowledged, and nothing else is."""

from __future__ import annotations

import asyncio

from tests.actors.conftest import call, in_virtual_time
from tether.actors.link import Link
from tether.actors.packet import Ack, Packet
from tether.actors.watch import Watch


class Looks:
    """Marks links, and has what they say again carried nowhere."""

    def __init__(self, after: float | None = 1.0) -> None:
        self.after = after
        self.marked: list[tuple[float, Link]] = []
        self.watch = Watch(after, self.mark)

    def mark(self, link: Link) -> None:
        now = asyncio.get_running_loop().time()
        self.marked.append((now, link))
        link.pull(now)

    def sent(self) -> Link:
        """Return a link by which a message has left now."""
        link = Link(bytearray, resend_after=self.after)
        link.out.add(call())
        link.pull(asyncio.get_running_loop().time())
        self.watch.over(link)
        return link


def acknowledge(link: Link) -> None:
    ack = Ack(link.out.next_number - 1, link.out.next_number - 1)
    link.push(Packet(1, (), ack), asyncio.get_running_loop().time())


def test_what_is_not_acknowledged_is_said_again_until_it_is() -> None:
    async def main() -> None:
        looks = Looks()
        link = looks.sent()

        await asyncio.sleep(2.5)
        acknowledge(link)
        await asyncio.sleep(5)

        assert looks.marked == [(1.0, link), (2.0, link)]
        assert len(looks.watch) == 0

    in_virtual_time(main())


def test_only_links_with_something_open_are_looked_at_and_in_the_order_they_opened() -> None:
    async def main() -> None:
        looks = Looks()
        links = [looks.sent() for _ in range(5)]
        for link in links[1::2]:
            acknowledge(link)

        await asyncio.sleep(1.5)

        assert looks.marked == [(1.0, links[0]), (1.0, links[2]), (1.0, links[4])]
        assert len(looks.watch) == 3
        looks.watch.close()

    in_virtual_time(main())


def test_what_opens_later_is_looked_at_from_then_on() -> None:
    async def main() -> None:
        looks = Looks()
        acknowledge(looks.sent())
        await asyncio.sleep(10)

        link = looks.sent()
        await asyncio.sleep(1.5)

        assert looks.marked == [(11.0, link)]
        looks.watch.close()

    in_virtual_time(main())


def test_a_link_that_is_let_go_of_is_not_looked_at() -> None:
    async def main() -> None:
        looks = Looks()
        first, second = looks.sent(), looks.sent()

        looks.watch.forget(first)
        looks.watch.forget(first)
        await asyncio.sleep(1.5)

        assert looks.marked == [(1.0, second)]
        looks.watch.close()

    in_virtual_time(main())


def test_a_closed_watch_looks_at_nothing() -> None:
    async def main() -> None:
        looks = Looks()
        looks.sent()

        looks.watch.close()
        await asyncio.sleep(5)

        assert looks.marked == []

    in_virtual_time(main())


def test_where_the_transport_tells_of_losses_nothing_is_watched() -> None:
    async def main() -> None:
        looks = Looks(after=None)
        looks.sent()

        assert len(looks.watch) == 0
        looks.watch.close()

    in_virtual_time(main())
