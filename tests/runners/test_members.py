"""The processes of a run as its conductor sees them: here, and as children."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.stage import HERE
from tether.actors.clock import SystemClock
from tether.actors.frames import Origin
from tether.runners.addresses import Addresses
from tether.runners.folder import RunFolder
from tether.runners.linker import link
from tether.runners.members import Child, Here, Member, death
from tether.runners.process import OUTSIDE, Process, directory
from tether.runners.sockets import SocketFolder
from tether.runners.up import children


class Heard:
    """What members have said, to be waited for."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[list[Any]] = asyncio.Queue()

    def __call__(self, member: Member, word: str, *details: Any) -> None:
        if word != "news":
            self.words.put_nowait([word, *details])

    async def next(self) -> list[Any]:
        async with asyncio.timeout(20):
            return await self.words.get()


class Counting:
    def __init__(self) -> None:
        self.n = 0

    async def run(self) -> None:
        self.n += 1

    async def wait(self) -> None:
        await asyncio.Event().wait()


class Broken:
    def __init__(self) -> None:
        raise ValueError("tau is 0")

    async def run(self) -> None: ...


def here(cls: type) -> Here:
    plan = link({"one": {"actor": cls}}, Path(), name="x", importable=False)
    places = directory(plan, dict.fromkeys(plan.processes(), OUTSIDE), OUTSIDE)
    return Here(Process(Origin("run", OUTSIDE, 1), plan, places, lambda *_: None))


def order(*names: str) -> dict[str, Any]:
    """Return what a member is told first."""
    return {
        "start": 1, "names": list(names), "restore": {}, "alone": [],
        "incarnations": dict.fromkeys(names, 1), "down": {}, "gone": {}, "off": [],
        "present": list(names),
    }  # fmt: skip


ONE = order("one/0")
PARENT = order("parent/0")


@pytest.fixture
def make_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Child]]:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.syspath_prepend(HERE)
    plan = link({"parent": {"actor": "players:Parent"}}, HERE, name="x")
    sockets = SocketFolder()
    addresses = Addresses(sockets.addresses(plan.processes()))
    folder = RunFolder.create("x", tmp_path / "run")
    make = children(plan, folder, addresses, SystemClock().token())

    def made() -> Child:
        child = make("parent-0")
        assert isinstance(child, Child)
        return child

    yield made
    sockets.remove()


@pytest.fixture
async def child(make_child: Callable[[], Child]) -> AsyncIterator[Child]:
    made = make_child()
    yield made
    await made.end(0.0)


async def test_a_share_in_this_process_does_as_it_is_told() -> None:
    heard, member = Heard(), here(Counting)

    await member.start(heard, ONE)
    member.order("go", ["one/0"])
    said = [await heard.next() for _ in range(3)]
    for words in (["quiet"], ["stop_life", False], ["close", 1]):
        member.order(*words)
        said.append(await heard.next())
    await member.end(1.0)

    assert said[:2] == [["ready", os.getpid()], ["lives", ["one/0"], []]]
    assert said[2:] == [["ended", "one/0", True], ["quiet", True], ["stopped_life"], ["closed"]]


async def test_what_cannot_be_made_here_is_raised_where_the_users_code_is() -> None:
    member = here(Broken)

    with pytest.raises(ValueError, match="tau is 0"):
        await member.start(Heard(), ONE)

    await member.process.close(1)


async def test_a_share_in_this_process_learns_who_is_gone() -> None:
    member = here(Counting)
    await member.start(heard := Heard(), ONE)
    why = "its process was killed by SIGKILL"
    change = {"what": "down", "actor": "one/0", "why": why, "wills": {}, "final": True}

    member.order("changed", [change])
    member.order("note", 1)
    said = [await heard.next() for _ in range(2)]

    assert said[1] == ["noted", 1]
    assert member.process.node.directory.gone == {"one/0": why}
    member.kill()
    await member.process.close(1)


async def test_what_is_still_done_here_can_be_cut_short() -> None:
    heard, member = Heard(), here(Counting)
    await member.start(heard, ONE)
    member.order("close", 1)

    member.kill()
    await member.end(1.0)

    assert await heard.next() == ["ready", os.getpid()]
    assert heard.words.empty()
    await member.process.close(1)


async def test_a_child_does_as_it_is_told_and_its_end_is_heard(child: Child) -> None:
    heard = Heard()

    await child.start(heard, PARENT)
    ready = await heard.next()
    child.order("go", ["parent/0"])
    lives = await heard.next()
    child.order("close", 1)
    said = [await heard.next() for _ in range(3)]

    assert (ready[0], lives) == ("ready", ["lives", ["parent/0"], []])
    assert [words[0] for words in said] == ["ended", "closed", "died"]
    assert said[2][1] == "its process exited with code 0"


async def test_a_killed_child_is_heard_to_die_though_its_own_child_lives_on(child: Child) -> None:
    heard = Heard()
    await child.start(heard, PARENT)
    _, pid = await heard.next()
    child.order("go", ["parent/0"])
    await heard.next()

    os.kill(pid, signal.SIGKILL)

    assert await heard.next() == ["died", "its process was killed by SIGKILL"]


async def test_what_is_ordered_before_a_child_can_hear_is_done_in_order(child: Child) -> None:
    heard = Heard()

    for number in (1, 2, 3):
        child.order("note", number)
    starting = asyncio.ensure_future(child.start(heard, PARENT))
    child.order("note", 4)
    await starting
    child.order("note", 5)
    said = [await heard.next() for _ in range(6)]

    assert said[0][0] == "ready"
    assert said[1:] == [["noted", number] for number in (1, 2, 3, 4, 5)]


async def test_a_child_writes_into_a_journal_that_outlives_it(child: Child) -> None:
    heard = Heard()
    await child.start(heard, PARENT)
    await heard.next()
    box = child.box
    assert box is not None

    beats = box.process_beat
    await child.end(0.0)

    assert beats > 0
    assert (child.box, list(child.rows())) == (None, [])


async def test_children_leave_no_file_descriptor_open(
    make_child: Callable[[], Child],
) -> None:
    await started_and_killed(make_child())  # what is opened once stays open
    before = descriptors()

    for _ in range(20):
        await started_and_killed(make_child())

    assert descriptors() == before


def descriptors() -> set[str]:
    """Return the file descriptors that are open, but for the one this takes."""
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


async def started_and_killed(child: Child) -> None:
    heard = Heard()
    await child.start(heard, PARENT)
    child.kill()
    while (await heard.next())[0] != "died":
        continue
    await child.end(1.0)


async def test_a_child_that_cannot_be_started_leaves_no_file_descriptor_open(
    make_child: Callable[[], Child], tmp_path: Path
) -> None:
    child = make_child()
    before = descriptors()
    (tmp_path / "run" / "logs").rmdir()

    with pytest.raises(FileNotFoundError):
        await child.start(Heard(), PARENT)
    await child.end(1.0)

    assert descriptors() == before


async def test_a_child_that_takes_too_long_is_killed(child: Child) -> None:
    heard = Heard()
    await child.start(heard, PARENT)
    await heard.next()

    await child.end(0.01)

    assert await heard.next() == ["died", "its process was killed by SIGKILL"]


async def test_a_child_that_never_started_has_no_end(child: Child) -> None:
    child.order("close", 1)
    child.kill()

    await child.end(1.0)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "its process exited with code 0"),
        (3, "its process exited with code 3"),
        (-11, "its process was killed by SIGSEGV"),
    ],
)
def test_an_exit_code_says_how_a_process_ended(code: int, words: str) -> None:
    assert death(code) == words
