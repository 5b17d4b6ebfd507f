"""What a GPU has still to write leaves when it is written, and holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.actors.conftest import World, joined_over, until
from tests.actors.lines import LINES
from tests.actors.pretend import Pretend
from tether.actors import buffer, oneway, within
from tether.actors.departures import Departures

LARGE = 50_000


class Center:
    """Keeps what it is given, and answers with what lies on its GPU."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self.x = on_gpu(5)

    async def exchange(self, x: Tensor) -> Tensor:
        self.came.append(float(x.mean()))
        return self.x

    async def take(self, x: Any) -> int:
        self.came.append(float(x.mean()) if isinstance(x, Tensor) else x)
        return len(self.came)

    @oneway
    async def note(self, x: Any) -> None:
        self.came.append(float(x.mean()) if isinstance(x, Tensor) else x)


def on_gpu(value: float, size: int = LARGE) -> Tensor:
    return torch.full((size,), value, dtype=torch.bfloat16)


class Pair:
    """Two processes of one host: a script that asks, and a center in the other."""

    def __init__(self, world: World, gpu: Pretend) -> None:
        self.world = world
        self.gpu = gpu
        self.center = world.spawn("center/0", Center)

    @property
    def came(self) -> list[Any]:
        came: list[Any] = self.world.actor("center/0").came
        return came


@pytest.fixture(params=LINES)
async def pair(request: pytest.FixtureRequest, folder: Path, gpu: Pretend) -> AsyncIterator[Pair]:
    """They share memory over one of the transports, and none over the others."""
    world = await joined_over(LINES[request.param], folder)
    yield Pair(world, gpu)
    gpu.finish()
    await world.close()


@pytest.fixture
async def sharing(folder: Path, gpu: Pretend) -> AsyncIterator[Pair]:
    """They share memory."""
    world = await joined_over(LINES["unix"], folder)
    yield Pair(world, gpu)
    gpu.finish()
    await world.close()


@pytest.mark.parametrize("size", [1, LARGE])
async def test_it_leaves_when_it_is_written_and_other_actors_go_on(pair: Pair, size: int) -> None:
    async def play() -> Any:
        pair.gpu.work()
        return await pair.center.take(on_gpu(2, size))

    async def other() -> Any:
        return await pair.center.take("meanwhile")

    pair.world.start(play)
    assert await pair.world.act(other, "other/0") == 1
    pair.gpu.finish()

    assert await pair.world.end() == 2
    assert pair.came == ["meanwhile", 2.0]


async def test_what_follows_it_to_the_same_actor_comes_after_it(pair: Pair) -> None:
    async def play() -> Any:
        pair.gpu.work()
        await pair.center.note(on_gpu(2))
        await pair.center.note("second")
        asyncio.get_running_loop().call_later(0.01, pair.gpu.finish)
        return await pair.center.take("third")

    assert await pair.world.act(play) == 3
    assert pair.came == [2.0, "second", "third"]


async def test_a_oneway_copies_and_the_tensor_is_its_senders_again(pair: Pair) -> None:
    async def play() -> Any:
        x = on_gpu(1)
        pair.gpu.work()
        await pair.center.note(x)
        x.fill_(3)
        pair.gpu.finish()
        return await pair.center.take(x)

    assert await pair.world.act(play) == 2
    assert pair.came == [1.0, 3.0]


async def test_what_lies_on_a_gpu_travels_both_ways(pair: Pair) -> None:
    async def play() -> float:
        return float((await pair.center.exchange(on_gpu(1))).mean())

    assert [await pair.world.act(play, f"script/{i}") for i in range(3)] == [5.0] * 3
    assert pair.came == [1.0] * 3


async def out_of_time(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        async with within(0.01):
            await pair.center.take(on_gpu(2))


async def cancelled(pair: Pair) -> None:
    asking = asyncio.ensure_future(pair.center.take(on_gpu(2)))
    await until(lambda: pair.gpu.waiting)
    asking.cancel()
    await asyncio.wait([asking])


@pytest.mark.parametrize("ask", [out_of_time, cancelled])
async def test_what_is_taken_back_while_it_waits_is_dropped(
    pair: Pair, ask: Callable[[Pair], Awaitable[None]]
) -> None:
    async def play() -> Any:
        pair.gpu.work()
        await ask(pair)
        pair.gpu.finish()
        return await pair.center.take("next")

    assert await pair.world.act(play) == 1
    await pair.world.quiet()
    books = pair.world.books("script/0", "center/0")
    assert (pair.came, books["in_flight"]) == (["next"], 0)
    assert sum(books["dropped"].values()) == 1


async def test_what_waits_for_one_who_has_died_goes_nowhere(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, passed = list[str](), Departures._passed

    def spy(departures: Departures, process: str, *rest: Any) -> None:
        passed(departures, process, *rest)
        seen.append(process)

    monkeypatch.setattr(Departures, "_passed", spy)

    async def play() -> str:
        pair.gpu.work()
        try:
            await pair.center.take(on_gpu(2))
        except Exception as error:
            return str(error)
        return "answered"

    pair.world.start(play)
    await until(lambda: pair.gpu.waiting)
    pair.world.nodes["left"].down("center/0", "it was killed", final=True)

    assert "it was killed" in await pair.world.end()
    pair.gpu.finish()
    await until(lambda: seen)
    pair.world.spawn("center/1", Center)
    other = pair.world.ref("center/1")
    assert await pair.world.act(lambda: other.take("a round trip"), "other/0") == 1
    assert (seen, pair.came) == (["right"], [])


async def test_a_gpu_that_fails_is_told_of_with_who_and_whom(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        pair.gpu.work()
        await pair.center.note(on_gpu(2))

    await pair.world.act(play)
    pair.gpu.fail("an illegal memory access")
    await until(lambda: caplog.text)

    assert "script/0: what goes to center/0 was not computed, as the GPU has failed" in caplog.text
    assert "an illegal memory access" in caplog.text


async def test_between_processes_that_see_it_nothing_goes_by_the_host(sharing: Pair) -> None:
    async def play() -> float:
        return float((await sharing.center.exchange(on_gpu(1))).mean())

    assert [await sharing.world.act(play, f"script/{i}") for i in range(3)] == [5.0] * 3
    assert (sharing.gpu.staged, sharing.gpu.raised) == (0, 0)


async def test_who_sees_another_gpu_is_sent_a_copy_by_way_of_the_host(
    sharing: Pair, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt = sharing.gpu.adopt

    def unseen(gpu: str, fd: int, nbytes: int) -> Any:
        sharing.gpu.sees.clear()
        try:
            return adopt(gpu, fd, nbytes)
        finally:
            sharing.gpu.sees.add(gpu)

    monkeypatch.setattr(sharing.gpu, "adopt", unseen)
    on_host = torch.ones(LARGE)

    async def play() -> float:
        assert await sharing.center.take(on_host) > 0  # the host's memory is lent as before
        return float((await sharing.center.exchange(on_gpu(1))).mean())

    assert [await sharing.world.act(play, f"script/{i}") for i in range(3)] == [5.0] * 3
    assert sharing.came == [1.0] * 6
    assert sharing.gpu.staged == 6 * 2 * LARGE
    assert caplog.text.count("its memory is copied by way of the host: this process") == 2


async def test_a_buffer_on_it_is_read_where_it_lies_once_it_is_written(sharing: Pair) -> None:
    seen: list[float] = []

    class Looker:
        async def look(self, x: Tensor) -> None:
            seen.append(float(x[0]))
            x[0] = 9  # in the sender's memory: it is seen there

    looker = sharing.world.spawn("looker/0", Looker)

    async def play() -> float:
        sharing.world.cell("script/0").device = "gpu"
        x = buffer(LARGE, torch.bfloat16)
        sharing.gpu.busy = True
        sharing.gpu.give(lambda: x.fill_(1))
        asyncio.get_running_loop().call_later(0.01, sharing.gpu.finish)
        await looker.look(x)
        return float(x[0])

    assert await sharing.world.act(play) == 9.0
    assert seen == [1.0]


async def test_an_answer_comes_when_the_gpu_has_read_what_was_lent(sharing: Pair) -> None:
    seen: list[float] = []

    class Reader:
        async def read(self, x: Tensor) -> None:
            sharing.gpu.busy = True
            sharing.gpu.give(lambda: seen.append(float(x[0])))

    reader = sharing.world.spawn("reader/0", Reader)

    async def play() -> bool:
        sharing.world.cell("script/0").device = "gpu"
        x = buffer(LARGE, torch.bfloat16).fill_(1)
        asking = asyncio.ensure_future(reader.read(x))
        await until(lambda: sharing.gpu.given)
        await sharing.center.take("a round trip")
        early: bool = asking.done()
        sharing.gpu.finish()
        await asking
        x.fill_(2)
        return early

    assert await sharing.world.act(play) is False
    assert seen == [1.0]


async def test_an_answer_comes_when_what_was_lent_has_gone_up_to_the_gpu(sharing: Pair) -> None:
    sharing.world.cell("center/0").device = "gpu"
    another = sharing.world.spawn("center/1", Center)
    sharing.gpu.work()

    async def play() -> bool:
        asking = asyncio.ensure_future(sharing.center.take(torch.ones(LARGE)))
        await until(lambda: sharing.gpu.raised)
        await another.take("a round trip")
        early: bool = asking.done()
        sharing.gpu.finish()
        await asking
        return early

    assert await sharing.world.act(play) is False


async def test_without_memory_left_on_it_all_goes_by_the_host(sharing: Pair) -> None:
    sharing.gpu.room = False

    async def play() -> float:
        return float((await sharing.center.exchange(on_gpu(1))).mean())

    assert await sharing.world.act(play) == 5.0
    assert sharing.gpu.staged == 4 * LARGE
