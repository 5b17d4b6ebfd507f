"""What the wire codecs cost: processor time of an event loop for each MB, as messages are encoded.

python benchmarks/codecs.py [--rounds 9] [--megabytes 40] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.transport import circumstances, load
from tether.actors import codec
from tether.actors.clock import SystemClock
from tether.actors.compression import CODECS, Way
from tether.actors.memory import Pool
from tether.actors.message import Body
from tether.actors.press import Presses

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "bf16": ("bf16", {}),
    "fp16": ("fp16", {}),
    "int8": ("int8", {"rounding": "nearest"}),
    "int8, stochastic": ("int8", {"rounding": "stochastic"}),
    "topk, share 0.001": ("topk", {"share": 0.001}),
    "topk, share 0.01": ("topk", {"share": 0.01}),
    "topk, share 0.1": ("topk", {"share": 0.1}),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One way of sending, in ms of processor time for each MB of float32; its size and error."""

    what: str
    encode: float
    encode_max: float
    decode: float
    decode_max: float
    times_smaller: float
    error: float


def main() -> None:
    """Measure, and show it."""
    given = arguments()
    torch.set_num_threads(1)
    say = Console(stderr=True, highlight=False).print
    say(circumstances())
    rows = measured(given.megabytes, given.rounds)
    say(f"load at the end: {load()}")
    Console(width=100).print(table(rows, given.megabytes))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--megabytes", type=float, default=40)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measured(megabytes: float, rounds: int) -> list[Row]:
    """Measure each way of sending one tensor: without a codec, then with each."""
    pool = Pool()
    x = torch.randn(int(megabytes * 1e6 / 4), generator=torch.Generator().manual_seed(0))
    return [row(what, x, pool, rounds) for what in ("no codec", *WAYS)]


def row(what: str, x: torch.Tensor, pool: Pool, rounds: int) -> Row:
    """Encode and decode a tensor as a message of an actor."""
    name, parameters = WAYS.get(what, ("", {}))
    ways = {("a", "b"): Way(CODECS[name], parameters)} if name else {}
    presses = Presses(ways, SystemClock(), pool.take)

    def encoded() -> Body:
        return codec.encode(x, take=pool.take, press=presses.press("a/0", "b/0", "push"))

    body = encoded()
    encode = timed(encoded, rounds)
    decode = timed(lambda: codec.decode(body, take=pool.take), rounds)
    each = 1e3 / (x.nbytes / 1e6)
    saving = body.saving
    smaller, error = (saving.raw / saving.packed, saving.error / saving.raw) if saving else (1, 0)
    there, back = (median(encode), max(encode)), (median(decode), max(decode))
    return Row(
        what, each * there[0], each * there[1], each * back[0], each * back[1], smaller, error
    )


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of processor time of each round; one before does not count."""
    work()
    found = []
    for _ in range(rounds):
        begun = time.thread_time()
        work()
        found.append(time.thread_time() - begun)
    return found


def table(rows: list[Row], megabytes: float) -> Table:
    """Return the rows as a table."""
    shown = Table(title=f"ms/MB, {megabytes:g} MB of float32: median (max)")
    for column in ("", "encode", "decode", "times smaller", "relative error"):
        shown.add_column(column, justify="right" if column else "left")
    for each in rows:
        encode = f"{each.encode:.2f} ({each.encode_max:.2f})"
        decode = f"{each.decode:.2f} ({each.decode_max:.2f})"
        ratio, error = f"{each.times_smaller:.3g}", f"{each.error:.2g}"
        shown.add_row(each.what, encode, decode, ratio, error)
    return shown


if __name__ == "__main__":
    main()
