"""What a checkpoint costs: how long the event loop stands still for it, and how long it is written.

python benchmarks/checkpoint.py [--rounds 7] [--megabytes 100] [--folder DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.transport import circumstances, load
from tether.actors.checkpoint import About, Checkpoints, name
from tether.actors.snapshot import Snapshot
from tether.runners.folder import StateFolder

ACTOR = "center/0"
COPY, CLONE, MEMCPY = "loop stands still: Snapshot.take", "torch.clone", "copy into warm memory"
WRITE, PAUSE, READ = "write, by a thread", "longest pause of the loop meanwhile", "read back"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured in every round, in ms."""

    what: str
    median: float
    min: float
    max: float
    unit: str = "ms"


def main() -> None:
    """Measure, and show it."""
    given = arguments()
    torch.set_num_threads(1)
    say = Console(stderr=True, highlight=False).print
    say(circumstances())
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        made = rows(measured(Path(folder), given.megabytes, given.rounds))
    say(f"load at the end: {load()}")
    Console(width=100).print(table(made, given.megabytes))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in made], indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is done")
    parser.add_argument("--megabytes", type=float, default=100.0, help="size of the state")
    parser.add_argument("--folder", type=Path, help="where to write; default: for temporary files")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    return parser.parse_args()


def state_of(megabytes: float) -> dict[str, Any]:
    """Return a state like a center's of this size: x, and some that is small."""
    x = torch.randn(int(megabytes * 1e6) // 4)
    return {"x": x, "t": 0, "draws": [torch.get_rng_state()], "rates": [0.1] * 10}


def measured(folder: Path, megabytes: float, rounds: int) -> dict[str, list[float]]:
    """Return what each round took, in seconds."""
    found: dict[str, list[float]] = {}
    state, snapshot = state_of(megabytes), Snapshot()
    warm = torch.zeros_like(state["x"])
    checkpoints = Checkpoints(StateFolder(folder))
    snapshot.prepare(state)
    with ThreadPoolExecutor(1) as writer:
        for n in range(1, rounds + 1):
            taken = _timed(found, COPY, partial(snapshot.take, state))
            _written(found, writer, checkpoints, n, taken)
            snapshot.release()
            _timed(found, READ, partial(checkpoints.read, ACTOR, n))
            _timed(found, MEMCPY, partial(warm.copy_, state["x"]))
            _timed(found, CLONE, state["x"].clone)
    size = len(checkpoints.storage.read(name(ACTOR, rounds)))
    if size < megabytes * 1e6 - 4:
        raise ValueError(f"the file has {size} bytes, but a state of {megabytes} MB was written")
    return found


def _timed(found: dict[str, list[float]], what: str, call: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    value = call()
    found.setdefault(what, []).append(time.perf_counter() - start)
    return value


def _written(
    found: dict[str, list[float]],
    writer: ThreadPoolExecutor,
    checkpoints: Checkpoints,
    n: int,
    taken: Any,
) -> None:
    """Have the thread write a checkpoint, and watch how long this one is ever held up by it."""
    about = About(ACTOR, "tether.protocols.easgd:Center", incarnation=1, round=n)
    start = last = time.perf_counter()
    longest = 0.0
    write = writer.submit(checkpoints.write, about, taken)
    while not write.done():
        time.sleep(0.0005)  # as a loop that waits for messages
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    write.result()
    found.setdefault(WRITE, []).append(time.perf_counter() - start)
    found.setdefault(PAUSE, []).append(longest)


def rows(found: dict[str, list[float]]) -> list[Row]:
    """Return a row for each thing measured."""
    return [
        Row(what, 1000 * median(each), 1000 * min(each), 1000 * max(each))
        for what, each in found.items()
    ]


def table(made: list[Row], megabytes: float) -> Table:
    """Return the rows as a table."""
    shown = Table(f"a state of {megabytes:g} MB", box=None)
    for column in ("median", "min", "max"):
        shown.add_column(column, justify="right")
    shown.add_column("unit")
    for row in made:
        shown.add_row(row.what, *(f"{ms:.1f}" for ms in (row.median, row.min, row.max)), row.unit)
    return shown


if __name__ == "__main__":
    main()
