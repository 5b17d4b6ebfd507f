"""Runs whose processes say what they like: plain objects instead of processes, no actors at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tether.actors.journal import Key, Memory
from tether.runners.audience import Audience
from tether.runners.blackbox import BlackBox
from tether.runners.conductor import Conductor
from tether.runners.linker import link
from tether.runners.members import Hear
from tether.runners.restart import Restart
from tether.runners.result import Start
from tether.runners.silence import Silence

KILLED = "its process was killed by SIGKILL"
Said = Sequence[Any]
Answers = Callable[..., Iterable[Said]]


class Life:
    """An actor that the plan names; nobody makes one."""

    async def run(self) -> None: ...


def ends(names: Sequence[str]) -> list[Said]:
    """Begin all lives, which end at once."""
    return [["lives", names, []], *(["ended", name, True] for name in names)]


def lives(names: Sequence[str]) -> list[Said]:
    """Begin all lives, which go on."""
    return [["lives", names, []]]


def nothing(*_details: Any) -> list[Said]:
    """Say nothing."""
    return []


GOOD: Mapping[str, Answers] = {
    "start": lambda: [["ready", 1]],
    "go": ends,
    "stop_life": lambda _services_only: [["stopped_life"]],
    "quiet": lambda: [["quiet", True]],
    "close": lambda _cut: [["closed"]],
    "round": lambda cut: [["taking", cut, []]],
    "end_round": lambda cut: [["taking", cut, []]],
    "note": lambda number: [["noted", number]],
    "leave": lambda name: [["departed", name]],
    "spawn": lambda name, _incarnation, _restore: [["made", name]],
    "changed": nothing,
    "resized": nothing,
}
"""What a process says to each order."""
ENDLESS: Mapping[str, Answers] = {"go": lives}
DEAF: Mapping[str, Answers] = {"go": ends, "stop_life": nothing, "quiet": nothing, "close": nothing}


class Scripted:
    """A process that answers each order with what a script says."""

    def __init__(self, name: str, script: Mapping[str, Answers]) -> None:
        self.name = name
        self.script = {**GOOD, **script}
        self.box: BlackBox | None = None
        self.journal = Memory()
        self.begun: Mapping[str, Any] = {}
        self.orders: list[list[Any]] = []
        self.killed = False
        self._hear: Hear | None = None

    async def start(self, hear: Hear, order: Mapping[str, Any]) -> None:
        self._hear, self.begun = hear, order
        self._answer("start")

    def say(self, word: str, *details: Any) -> None:
        assert self._hear is not None
        self._hear(self, word, *details)

    def order(self, word: str, *details: Any) -> None:
        self.orders.append([word, *details])
        self._answer(word, *details)

    def _answer(self, word: str, *details: Any) -> None:
        for said in self.script[word](*details):
            asyncio.get_running_loop().call_soon(self.say, *said)

    def rows(self) -> list[tuple[Key, Sequence[int]]]:
        return [(key, list(row)) for key, row in self.journal.rows()]

    def die(self) -> None:
        """End without a word of its own."""
        self.say("died", KILLED)

    def kill(self) -> None:
        self.killed = True
        self.die()

    async def end(self, patience: float) -> None:
        if self.script["close"] is nothing and not self.killed:
            self.kill()

    @property
    def words(self) -> list[str]:
        """The orders it was given, but for news of others."""
        return [order[0] for order in self.orders if order[0] != "changed"]

    @property
    def news(self) -> list[Mapping[str, Any]]:
        """What it was told of others."""
        return [each for order in self.orders if order[0] == "changed" for each in order[1]]


class Watching(Silence):
    """An audience that remembers what it saw of whom."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.whys: list[str] = []
        self.restarts: list[Restart] = []

    def _saw(self, what: str, actor: str, why: str = "") -> None:
        self.seen.append((what, actor))
        self.whys += [why] if why else []

    def started(self, actor: str, pid: int) -> None:
        self._saw("started", actor)

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        self._saw("reported", actor)

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002
        self._saw("traffic", actor)

    def queues(self, actor: str, waiting: int, held: int) -> None:
        self._saw("queues", actor)

    def ended(self, actor: str) -> None:
        self._saw("ended", actor)

    def down(self, actor: str, why: str, delay: float) -> None:
        self._saw("down", actor, why)

    def bereaved(self, actor: str, why: str, delay: float) -> None:
        self._saw("bereaved", actor, why)

    def restarted(self, restart: Restart) -> None:
        self._saw("restarted", restart.actor)
        self.restarts.append(restart)

    def gave_up(self, actor: str, why: str) -> None:
        self._saw("gave up", actor, why)

    def unreachable(self, actor: str, why: str) -> None:
        self._saw("unreachable", actor, why)

    def reachable(self, actor: str) -> None:
        self._saw("reachable", actor)

    def hung(self, actor: str, why: str) -> None:
        self._saw("hung", actor, why)

    def slow(self, actor: str, why: str) -> None:
        self._saw("slow", actor, why)

    def stalled(self, text: str, seconds: float) -> None:
        self._saw("stalled", "", text)

    def joined(self, actor: str) -> None:
        self._saw("joined", actor)

    def left(self, actor: str) -> None:
        self._saw("left", actor)


class Scene:
    """A run of scripted processes: `scripts` by process, a list of them for its later starts."""

    def __init__(
        self,
        tables: Mapping[str, Any],
        scripts: Mapping[str, Mapping[str, Answers] | list[Mapping[str, Answers]]] | None = None,
        audience: Audience | None = None,
        start: Start | None = None,
        boxes: bool = False,
        times: Mapping[str, float] | None = None,
    ) -> None:
        full = {name: {"actor": Life, **table} for name, table in tables.items()}
        self.plan = link(
            {"run": {**PATIENT, **(times or {})}, **full}, Path(), name="x", importable=False
        )
        self.scripts = scripts or {}
        self.boxes = boxes
        self.audience = audience or Watching()
        self.made: dict[str, list[Scripted]] = {}
        self.run = Conductor(self.plan, self.make, self.audience, start=start)

    def make(self, process: str) -> Scripted:
        """Make a process: with the script for this start of it, or else the last one there is."""
        given = self.scripts.get(process, {})
        scripts = given if isinstance(given, list) else [given]
        made = self.made.setdefault(process, [])
        member = Scripted(process, scripts[min(len(made), len(scripts) - 1)])
        member.box = BlackBox.create() if self.boxes else None
        made.append(member)
        return member

    def __getitem__(self, process: str) -> Scripted:
        return self.made[process][-1]

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true; TimeoutError when it does not come true."""
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - what it waits for sets no Event
                await asyncio.sleep(0.001)


PATIENT = {"graceful": 20.0, "drain": 10.0, "checkpoint": 0.0}
HASTY = {"graceful": 0.1, "drain": 0.05}
A_AND_B: Mapping[str, Any] = {"a": {}, "b": {}}
