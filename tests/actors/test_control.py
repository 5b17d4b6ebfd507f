"""Over a control connection memory is lent; where it cannot be taken in, all is copied instead."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from tests.actors.conftest import World, joined_over, until
from tests.actors.deaths import Deaths
from tests.actors.lent import descriptors
from tests.actors.lines import UNIX
from tether.actors.control import NEWS
from tether.actors.inflow import Inflow
from tether.actors.loans import ALL_REFUSED, Loans
from tether.actors.outflow import LENGTH, Outflow
from tether.actors.region import Region
from tether.actors.unix import Unix, path_of

LARGE = 1_000_000


class Center:
    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.waiting = asyncio.Event()

    async def total(self, x: Any) -> float:
        return float(x.sum())

    async def double(self, x: Any) -> Any:
        return 2 * x

    async def hold(self, x: Any) -> None:
        self.kept.append(x)
        await self.waiting.wait()
        self.kept.clear()


@pytest.fixture
async def pair(folder: Path) -> AsyncIterator[World]:
    """Two sides joined by Unix sockets."""
    world = await joined_over(UNIX, folder)
    yield world
    await world.close()


def lent(world: World) -> Loans:
    """Return what the left side has lent to the right one."""
    return transport(world, "left")._peers["right"].lending.current or pytest.fail("nothing")


def transport(world: World, side: str) -> Unix:
    found = world.nodes[side].transport
    assert isinstance(found, Unix)
    return found


async def asked(pair: World) -> tuple[Center, asyncio.Future[None]]:
    """Return a center that holds what it is lent until it is told to go on, and who asked it."""
    asking = asyncio.ensure_future(pair.spawn("center/0", Center).hold(np.ones(LARGE)))
    center: Center = pair.actor("center/0")
    await until(lambda: center.kept)
    return center, asking


def idle(world: World) -> bool:
    gc.collect()
    return lent(world).idle


async def test_what_is_asked_and_answered_is_lent_and_comes_back(pair: World) -> None:
    center = pair.spawn("center/0", Center)
    x = np.arange(LARGE)

    answers = [await center.double(x) for _ in range(3)]

    assert all(np.array_equal(answer, 2 * x) for answer in answers)
    assert len(transport(pair, "left")._peers["right"].bulk) == 0
    assert lent(pair).fruitful
    answers[0][:] = 7
    assert answers[1][1] == 2
    await pair.quiet()
    await until(lambda: idle(pair))


async def test_what_a_handler_holds_is_lent_until_it_has_returned(pair: World) -> None:
    center, asking = await asked(pair)
    held = idle(pair)

    center.waiting.set()
    await asking

    await until(lambda: idle(pair))
    assert not held


async def test_a_call_that_is_dropped_unhandled_is_given_back(pair: World) -> None:
    center = pair.spawn("center/0", Center)
    actor = pair.actor("center/0")
    busy = asyncio.ensure_future(center.hold(1))
    waiting = asyncio.ensure_future(center.total(np.ones(LARGE)))
    await until(lambda: len(pair.cell("center/0").mailbox))

    waiting.cancel()
    await asyncio.wait([waiting])
    await until(lambda: not len(pair.cell("center/0").mailbox))
    actor.waiting.set()
    await busy

    await pair.quiet()
    await until(lambda: idle(pair))


async def test_what_is_said_again_over_a_new_connection_is_lent_again(pair: World) -> None:
    center, asking = await asked(pair)

    for inflow in list(transport(pair, "right")._inflows):
        inflow.close()
    center.waiting.set()
    total = await pair.ref("center/0").total(np.ones(LARGE))

    assert total == LARGE
    await asking
    await until(lambda: idle(pair))


async def test_a_dead_process_gives_back_what_it_was_lent(pair: World) -> None:
    deaths = Deaths(pair)
    _, asking = await asked(pair)
    (piece,) = pair.nodes["left"].pool._used.values()
    read = piece.unread()

    names = await deaths.kill("right")
    deaths.down(*names, final=True)
    transport(pair, "left").renew("right")

    with pytest.raises(Exception, match="center/0 is gone"):
        await asking
    assert (read, piece.unread()) == (False, True)


async def test_where_memory_cannot_be_mapped_everything_is_copied(
    pair: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unmappable(fd: int, nbytes: int) -> Region:
        os.close(fd)
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(Region, "adopt", unmappable)
    center = pair.spawn("center/0", Center)
    x = np.arange(LARGE)

    answer = await center.double(x)

    assert np.array_equal(answer, 2 * x)
    assert "memory that is lent could not be taken in: [Errno 12] Cannot all" in caplog.text
    assert transport(pair, "left").loans("right") is None


class Ends:
    """Both ends of a connection over which memory is passed."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "s")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.setblocking(False)
        self.passed: list[int] = []
        self.came: list[bytes] = []
        self.told: list[str] = []

    def dial(self) -> Outflow:
        return Outflow(
            self.path, b"me", lambda: self.told.append("renewed"),
            cut=lambda: self.told.append("cut"),
            refused=lambda what: self.told.append(f"refused {what[0]:x}"),
        )  # fmt: skip

    async def accept(self) -> Inflow:
        accepted, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        return Inflow(
            accepted, lambda view: self.came.append(bytes(view)), self.told.append,
            lambda inflow: None, passed=self.passed.extend,
        )  # fmt: skip

    def close(self) -> None:
        self.listener.close()
        while self.passed:
            os.close(self.passed.pop())


@pytest.fixture
async def ends(folder: Path) -> AsyncIterator[Ends]:
    ends = Ends(folder)
    yield ends
    ends.close()


async def test_memory_is_passed_with_the_message_it_belongs_to(ends: Ends) -> None:
    out, inflow = ends.dial(), await ends.accept()
    region = Region.create(4096)

    out.send(b"before")
    out.send_bound(b"one", b"two", regions=[region, region])
    out.send(b"after")
    await until(lambda: len(ends.came) == 4)

    assert ends.came == [b"before", b"one", b"two", b"after"]
    assert [os.fstat(fd).st_size for fd in ends.passed] == [4096, 4096]
    out.close()
    inflow.close()


async def test_what_is_bound_to_a_connection_does_not_go_over_the_next(ends: Ends) -> None:
    out, inflow = ends.dial(), await ends.accept()
    inflow.close()
    out.send_bound(b"for the first")
    out.send(b"for whoever")
    await until(lambda: "cut" in ends.told)

    inflow = await ends.accept()
    await until(lambda: ends.came)

    assert ends.came == [b"for whoever"]
    assert ends.told == ["cut", "renewed"]
    out.close()
    inflow.close()


async def test_who_cannot_take_memory_says_so_before_it_hangs_up(ends: Ends) -> None:
    out, inflow = ends.dial(), await ends.accept()

    inflow.refuse_memory("there is no room")
    await until(lambda: "cut" in ends.told)

    assert ends.told == ["there is no room", "refused 15", "cut"]
    out.close()


async def test_descriptors_that_do_not_fit_are_refused_memory(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = ends.dial(), await ends.accept()
    monkeypatch.setattr("tether.actors.inflow.RIGHTS", socket.CMSG_SPACE(4))
    region = Region.create(4096)

    out.send_bound(b"news", regions=[region] * 5)
    await until(lambda: "cut" in ends.told)

    assert ends.told[:2] == ["this process has no room for the descriptors that came", "refused 15"]
    out.close()


@pytest.mark.parametrize("news", [b"", b"\xc1", msgpack.packb([True, [], []])])
async def test_a_strangers_news_end_its_connection_and_leave_nothing(
    pair: World, folder: Path, news: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    before = descriptors()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dialled:
        dialled.connect(path_of(UNIX.endpoints(folder, "right")["right"][0]))
        told = NEWS + news
        dialled.sendall(LENGTH.pack(2) + b"me" + LENGTH.pack(len(told)))
        null = os.open(os.devnull, os.O_RDWR)
        socket.send_fds(dialled, [told], [null])
        os.close(null)
        await until(lambda: transport(pair, "right").foreign)

        assert dialled.recv(9) == ALL_REFUSED

    assert "right: memory that is lent could not be taken in" in caplog.text
    await until(lambda: descriptors() == before)
