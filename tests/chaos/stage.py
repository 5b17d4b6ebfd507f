"""A run in real processes, started by the command a user types, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tether.actors.checkpoint import Checkpoints
from tether.runners.folder import StateFolder, final_state
from tether.runners.summary import Summary, read_summary

HERE = Path(__file__).parent
MARK = "TETHER_TESTS_RUN"
"""Set in the environment of all processes of one run, so that orphans are found too."""
PATIENCE = 25.0
"""Seconds in which a condition has to come true: long, for machines that do other things too."""
ENDS_IN = 5.0
"""Seconds in which a run promises to end."""
SLACK = 5.0
"""Seconds more on a loaded machine, where starting an interpreter alone may take one."""

FAST = "[run]\nbeat = 0.1\nunreachable = 1\nhung = 1\nstall = 0.3\ncheckpoint = 0.2\n"
"""All times of a run, scaled down."""
OFTEN = "max_restarts = 1000\n"
NEVER = "max_restarts = 0\n"
CENTER = '[center]\nactor = "players:Center"\n'
WORKERS = '[worker]\nactor = "players:Worker"\ncount = 2\ncenter = "@center"\n'
ENDLESS = CENTER + WORKERS
SERVICE = '[service]\nactor = "players:Service"\ncenter = "@center"\nrestart = "permanent"\n'


class Agent:
    """`tether up` as a child process, in a group of its own."""

    def __init__(
        self,
        wiring: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        inside: Sequence[str] = (),
        keys: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="a-"))
        self.temporary = self.folder / "t"
        self.temporary.mkdir()
        self.run = self.folder / "run"
        self.said = self.folder / "said"
        ours = {MARK: str(self.folder), "TMPDIR": str(self.temporary), "PYTHONPATH": str(HERE)}
        self._inside = inside
        self._keys = () if keys is None else ("--keys", str(keys))
        self._env = {**os.environ, **ours, **(env or {})}
        for name, text in {"wiring.toml": wiring, **(files or {})}.items():
            (self.folder / name).write_text(text)
        self._arguments = ("--run", str(self.run), *arguments)
        self.process = self._started(*self._arguments)

    def again(self) -> None:
        """Start the command anew, as it was; what it leaves is another run's."""
        if (self.run / "plan.json").exists():
            self.run.rename(self.folder / "before")
        self.process = self._started(*self._arguments)

    def resume(self, wiring: str = "", *arguments: str) -> None:
        """Start the command anew, to go on from where the run was, maybe with another wiring."""
        if wiring:
            (self.folder / "wiring.toml").write_text(wiring)
        self.process = self._started("--resume", str(self.run), *arguments)

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        wiring = str(self.folder / "wiring.toml")
        command = [*self._inside, sys.executable, "-m", "tether.runners", "up", wiring]
        with self.said.open("wb") as said:
            return subprocess.Popen(
                [*command, *arguments, *self._keys],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send the agent a signal, or its whole group as a terminal does."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def kill(self, *names: str) -> None:
        """Kill processes of the run, all of them at once."""
        for pid in [self.member(name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill the agent and every process of the run, which the agent learns nothing of."""
        pids = [self.process.pid, *self.members().values()]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not list(self._processes()))

    def end(self, within: float = PATIENCE) -> int:
        """Wait for the agent's end; return its exit code."""
        return self.process.wait(within)

    def members(self) -> dict[str, int]:
        """Return the processes of the run by the name of their log."""
        found = {}
        with suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children():
                with suppress(OSError):
                    target = Path(f"/proc/{process.pid}/fd/1").readlink()
                    if target.parent == self.run / "logs":
                        found[target.stem] = process.pid
        return found

    def member(self, name: str) -> int:
        """Wait until a process of the run is there; return its pid."""
        until(lambda: name in self.members())
        return self.members()[name]

    def log(self, name: str) -> str:
        """Return what an actor has printed so far."""
        path = self.run / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def until_said(self, name: str, word: str, times: int = 1) -> None:
        """Wait until an actor has printed a word, so many times."""
        self.until(lambda: self.log(name).count(word) >= times)

    def until_told(self, sentence: str, times: int = 1) -> None:
        """Wait until the command has told its user something, so many times."""
        self.until(lambda: self.said.read_text().count(sentence) >= times)

    def until_kept(self, *actors: str, rounds: int = 1) -> None:
        """Wait until there are so many checkpoints of each of these actors."""
        self.until(lambda: all(len(self.checkpoints.rounds(name)) >= rounds for name in actors))

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true, which has to come true before the run ends."""
        until(lambda: true() or self.process.poll() is not None)
        assert true(), self.said.read_text()

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the run's actors."""
        return Checkpoints(StateFolder(self.run / "checkpoints"))

    @property
    def summary(self) -> dict[str, Any]:
        """The run's summary, as it was written."""
        found: dict[str, Any] = json.loads((self.run / "summary.json").read_text())
        return found

    @property
    def totals(self) -> Summary:
        """The run's summary, with what follows from it."""
        return read_summary(self.run)

    def state(self, actor: str) -> Any:
        """Return an actor's final state."""
        return final_state(self.run, actor)

    def left(self) -> list[str]:
        """Return what is left of the run beside its directory: processes and temporary files."""
        names = [f"process {process.pid}" for process in self._processes()]
        for folder, folders, files in os.walk(self.temporary):  # they may go while it is walked
            names += [f"{folder}/{name}" for name in folders + files]
        return names

    def until_nothing_is_left(self) -> None:
        """Wait until all is gone, for as long as a run may take to end."""
        with suppress(TimeoutError):
            until(lambda: self.left() == [], ENDS_IN + SLACK)
        assert self.left() == [], f"it leaves behind: {self.left()}"

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(MARK) == str(self.folder)
                if marked and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
            except psutil.Error:
                continue

    def clear(self) -> None:
        """Kill what is left, and remove the run's folder."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for process in list(self._processes()):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def until(true: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait until something is true; TimeoutError when it does not come true in time."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not come true within {within:g} s")
        time.sleep(0.01)
