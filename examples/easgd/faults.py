"""What becomes of the training in this folder when things go wrong, with real processes.

    python faults.py kills     a worker is killed every 5 s, the center once
    python faults.py growth    2 workers grow to 4 and shrink to 1 while they train
    python faults.py resume    everything is killed, and goes on from its checkpoints

Each prints what came of it beside what would have come of it undisturbed. Linux only.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from compare import accuracy
from rich.console import Console
from rich.table import Table

from tether.runners.folder import final_state
from tether.runners.summary import read_summary

HERE = Path(__file__).parent
EVERY = 5.0
"""Seconds between two kills of a worker."""
CENTER_AT = 8.0
console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Do what is asked for."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("what", choices=["kills", "growth", "resume"])
    given = asked.parse_args()
    torch.set_num_threads(1)
    {"kills": kills, "growth": growth, "resume": resume}[given.what]()


def kills() -> None:
    """Kill a worker every five seconds and the center once; compare what was learned."""
    quiet = up("kills-undisturbed")
    code = quiet.wait()
    disturbed = up("kills", "run.checkpoint=2", "worker.max_restarts=100")
    began, center_lives, turn = time.monotonic(), True, 0
    next_kill = EVERY
    while disturbed.process.poll() is None:
        passed = time.monotonic() - began if disturbed.training() else 0.0
        if not disturbed.training():
            began = time.monotonic()
        if center_lives and passed >= CENTER_AT:
            center_lives = not disturbed.kill("center-0")
        if passed >= next_kill:
            next_kill += EVERY
            disturbed.kill(f"worker-{turn % 4}")
            turn += 1
        time.sleep(0.05)
    code = code or disturbed.process.returncode
    told(disturbed)
    difference = 100 * (disturbed.accuracy - quiet.accuracy)
    console.print(
        f"undisturbed {quiet.accuracy:.2%}, disturbed {disturbed.accuracy:.2%}: "
        f"{difference:+.2f} points of accuracy"
    )
    sys.exit(code or abs(difference) > 2)


def growth() -> None:
    """Train while workers join and leave; account for every message."""
    run = up("growth", wiring="growth.toml")
    code = run.wait()
    summary = read_summary(run.path)
    for change in summary.membership:
        console.print(f"{change.t:6.1f} s  {change.actor} {change.change}")
    told(run)
    lost = summary.traffic.unknown + summary.traffic.in_flight + summary.unaccounted
    console.print(f"{summary.traffic.sent} messages sent, {lost} lost")
    sys.exit(code or lost > 0)


def resume() -> None:
    """Kill everything in the middle, resume, and compare with an undisturbed run bit for bit."""
    alone = ("worker.count=1", "run.checkpoint=1")
    quiet = up("resume-undisturbed", *alone)
    code = quiet.wait()
    run = up("resume", *alone)
    while run.step() < 500:
        time.sleep(0.05)
    run.kill_everything()
    stopped = run.step()
    again = up("resume", *alone, resume=run.path)
    code = code or again.wait()
    table = Table("", "undisturbed", "killed and resumed", "equal")
    same = True
    for name, key in (("center/0", "x"), ("worker/0", "t")):
        states = [final_state(each.path, name)[key] for each in (quiet, again)]
        equal = bool(torch.equal(torch.as_tensor(states[0]), torch.as_tensor(states[1])))
        same = same and equal
        table.add_row(f"{name} {key}", *map(shown, states), "yes" if equal else "NO")
    console.print(table)
    console.print(f"everything was killed at step {stopped}; {again.said('resumed from')}")
    sys.exit(code or not same)


def shown(value: Any) -> str:
    """Return a number, or the norm of a vector with all its digits."""
    return repr(float(value.double().norm())) if isinstance(value, torch.Tensor) else str(value)


def told(run: "Run") -> None:
    """Print each restart and what it undid, and the account of all messages."""
    summary = read_summary(run.path)
    for restart in summary.restarts:
        console.print(f"{restart.t:6.1f} s  {restart.sentence} ({restart.why})")
    traffic = summary.traffic
    dropped = sum(traffic.dropped.values())
    console.print(
        f"sent {traffic.sent} = handled {traffic.handled} + dropped {dropped} "
        f"+ unknown {traffic.unknown} + in flight {traffic.in_flight}; "
        f"unaccounted for {summary.unaccounted}"
    )


def up(name: str, *sets: str, wiring: str = "wiring.toml", resume: Path | None = None) -> "Run":
    """Start `tether up` on a wiring of this folder."""
    path = resume or Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    where = ["--resume", str(path)] if resume else ["--run", str(path)]
    changed = [word for text in sets for word in ("--set", text)]
    command = [sys.executable, "-m", "tether.runners", "up", str(HERE / wiring), *where, *changed]
    console.print(f"{name}: {path}")
    path.parent.mkdir(exist_ok=True)
    log = path.with_name(f"{path.name}{'-resumed' if resume else ''}.log")
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    return Run(path, log, process)


class Run:
    """A run as an observer sees it: its folder, and its processes."""

    def __init__(self, path: Path, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.path = path
        self.log = log
        self.process = process

    def wait(self) -> int:
        """Wait for the end; show what was said if it went wrong."""
        code = self.process.wait()
        if code:
            console.print(self.log.read_text(), markup=False)
        return code

    def said(self, word: str) -> str:
        """Return the line that holds a word."""
        return next((line for line in self.log.read_text().splitlines() if word in line), "")

    @property
    def accuracy(self) -> float:
        """The share of test images that the center gets right at the end."""
        import asyncio

        return asyncio.run(accuracy(final_state(self.path, "center/0")["x"]))

    def reports(self) -> list[dict[str, Any]]:
        """Return what was reported so far."""
        file = self.path / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def training(self) -> bool:
        """Whether the first step was made."""
        return any(report["actor"].startswith("worker") for report in self.reports()[-50:])

    def step(self) -> int:
        """Return the last step that worker/0 has reported."""
        steps = [r.get("step", 0) for r in self.reports() if r["actor"] == "worker/0"]
        return max(steps, default=0)

    def pids(self) -> dict[str, int]:
        """Return the processes of the run by the name of their log."""
        agent = self.process.pid
        found = {}
        for task in Path(f"/proc/{agent}/task").glob("*/children"):
            for pid in map(int, task.read_text().split()):
                try:
                    found[Path(f"/proc/{pid}/fd/1").readlink().stem] = pid
                except OSError:
                    continue
        return found

    def kill(self, name: str) -> bool:
        """Kill a process if it is there; tell whether it was."""
        pid = self.pids().get(name)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        console.print(f"killed {name}")
        return True

    def kill_everything(self) -> None:
        """Kill the agent and all it has started, at once."""
        pids = [self.process.pid, *self.pids().values()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


if __name__ == "__main__":
    main()
