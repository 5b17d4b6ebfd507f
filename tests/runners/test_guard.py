"""A process shows that it lives, and names what keeps its event loop from its turns."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace

import pytest
import uvloop

from tests.actors.conftest import World, memory_world, until
from tether.actors.cell import Cell
from tether.runners.blackbox import BlackBox
from tether.runners.guard import Guard

STALL = 0.25
HELD = r"has held the event loop for \d+\.\d s, at test_guard\.py:\d+"
STOPPED = """
import asyncio, logging, sys
from tether.runners.blackbox import BlackBox
from tether.runners.guard import Guard

async def main():
    guard = Guard(BlackBox(int(sys.argv[1])), "main", 0.5, ended=lambda *stall: print(stall))
    guard.start()
    print("started", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    guard.stop()

asyncio.run(main())
"""


def hold(box: BlackBox) -> None:
    """Keep the loop until the guard has seen it."""
    while not box.stall:
        pass


class Center:
    def __init__(self, box: BlackBox) -> None:
        self.box = box

    async def block(self) -> None:
        hold(self.box)

    async def greedy(self) -> int:
        return sum(range(20_000_000))


class Watched:
    """A world in one process, with its guard and the stalls that are over."""

    def __init__(self, stall: float) -> None:
        self.world: World = memory_world()
        self.box = BlackBox.create()
        self.stalls: list[tuple[str, float, int]] = []
        self.cells: dict[str, Cell] = {}
        self.guard = Guard(self.box, "main", stall, ended=self.ended, cells=self.cells)

    def ended(self, text: str, seconds: float) -> None:
        self.stalls.append((text, seconds, threading.get_ident()))

    async def __aenter__(self) -> Watched:
        self.world.spawn("center/0", lambda: Center(self.box), Center)
        self.cells["center/0"] = self.world.cell("center/0")
        self.guard.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.guard.stop()
        await self.world.close()
        self.box.close()

    async def stalled(self) -> str:
        """Return the sentence about the first stall, once it is over."""
        await until(lambda: self.stalls)
        return self.stalls[0][0]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    async with Watched(STALL) as watched:
        yield watched


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_handler_that_holds_the_loop_is_named_with_the_line_that_does(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def watch() -> str:
        async with Watched(STALL) as watched:
            await watched.world.act(watched.world.ref("center/0").block)
            return await watched.stalled()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        text = runner.run(watch())

    assert re.fullmatch(f"center/0: Center.block {HELD}", text)


async def test_a_call_that_keeps_all_threads_from_running_is_named_too(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine the process might be excused: here it has a processor all the time.
    mine = SimpleNamespace(monotonic=time.monotonic, process_time=time.monotonic)
    monkeypatch.setattr("tether.runners.guard.time", mine)
    watched.guard.stop()
    async with Watched(0.02) as strict:
        await strict.world.act(strict.world.ref("center/0").greedy)

        await until(lambda: any("Center.greedy" in text for text, *_ in strict.stalls))


async def test_a_stall_is_shown_while_it_lasts_and_over_at_the_next_beat(watched: Watched) -> None:
    before = watched.box.loop_beat

    hold(watched.box)
    shown = watched.box.stall
    await watched.stalled()

    assert re.fullmatch(f"main: test_\\w+ {HELD}", shown)
    assert watched.box.stall == ""
    assert watched.box.loop_beat > before


async def test_a_stall_that_is_over_is_told_on_the_loop_with_its_length(watched: Watched) -> None:
    hold(watched.box)

    await watched.stalled()

    text, seconds, thread = watched.stalls[0]
    assert seconds >= STALL
    assert f"for {seconds:.1f} s" in text
    assert thread == threading.get_ident()


async def test_a_stall_is_logged_once_and_the_next_one_again(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tether"):
        for _ in range(2):
            hold(watched.box)
            shown = watched.box.stall
            while watched.box.stall == shown:
                pass
            watched.stalls.clear()
            await watched.stalled()

    assert len(caplog.messages) == 2
    assert all(re.fullmatch(f"main: test_\\w+ {HELD}", text) for text in caplog.messages)


async def test_a_loop_that_gets_its_turns_beats_and_stalls_nowhere() -> None:
    processes, loops = set[float](), set[float]()

    async with Watched(2.0) as watched:
        while len(processes) < 5 or len(loops) < 5:
            processes.add(watched.box.process_beat)
            loops.add(watched.box.loop_beat)
            await asyncio.sleep(0)

        assert (watched.box.stall, watched.stalls) == ("", [])


async def test_a_process_beats_even_while_its_loop_does_not(watched: Watched) -> None:
    box, beats = watched.box, set[float]()
    loop_beat = box.loop_beat

    while len(beats) < 10:
        beats.add(box.process_beat)

    assert box.loop_beat == loop_beat


async def test_the_end_of_a_guard_ends_its_thread_and_its_stall(watched: Watched) -> None:
    hold(watched.box)

    watched.guard.stop()
    watched.guard.stop()

    assert [thread.name for thread in threading.enumerate() if "guard" in thread.name] == []
    assert watched.box.stall == ""
    assert len(watched.stalls) == 1


def test_a_guard_that_never_began_may_be_stopped() -> None:
    box = BlackBox.create()

    Guard(box, "main").stop()

    assert box.process_beat == 0.0
    box.close()


@pytest.fixture
def box() -> Iterator[BlackBox]:
    box = BlackBox.create()
    yield box
    box.close()


def test_a_process_that_was_stopped_blames_nobody_when_it_goes_on(box: BlackBox) -> None:
    command = [sys.executable, "-c", STOPPED, str(box.fd)]
    with subprocess.Popen(
        command, pass_fds=[box.fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        beat = box.process_beat
        while time.monotonic() - beat < 1.5:
            os.sched_yield()
        assert box.process_beat == beat
        child.send_signal(signal.SIGCONT)
        while min(box.loop_beat, box.process_beat) < beat + 1.6:
            os.sched_yield()
        said, _ = child.communicate()

    assert said == ""
