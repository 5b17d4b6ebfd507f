"""Whatever bytes come, decoding gives a value or the error it documents: tried with many.

python -m tests.fuzz.frames [--runs 10000000] [--only frame,body]

libFuzzer looks for inputs that reach more of the code, by changing what they say or their bytes.
What was found is kept in runs/fuzz, and gone on from; an input that breaks the promise lies there
too. The exit code is 1 when there is one. `edges` are those of the code that libFuzzer saw run, and
`lines` those that what was found reaches, of all there are in these functions; MB and ms are the
most of any input.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.fuzz.reach import ROOT, reached
from tests.fuzz.targets import TARGETS, close

SHARES = {
    "frame": 35, "chunk": 14, "body": 24, "plain": 8, "arguments": 4, "news": 2, "keys": 5,
    "sealed": 1, "packet": 4, "control": 1, "bulk": 1, "stream": 1,
}  # fmt: skip
"""Of a hundred inputs, how many each target gets: few of those that go through sockets."""
LONG = 20_000
"""Inputs for each target that may be as long as any: much of one kind, or inside one another."""
LONGEST = 1024
"""Bytes of an input that libFuzzer makes: it tries several times as many as of long ones."""
SECONDS = 20
"""After which an input that has no end is taken for one that hangs."""
COLUMNS = (
    "target", "executions", "values", "refused", "edges", "lines", "MB", "ms", "s", "outcome",
)  # fmt: skip
ROW = "{:>10} {:>10} {:>9} {:>9} {:>6} {:>9} {:>6} {:>6} {:>6}  {}"


@dataclass
class Found:
    """What came of a target."""

    executions: int
    edges: int
    seconds: float
    broken: bool
    said: str


def hunted(name: str, runs: int, folder: Path) -> Found:
    """Have one target hunted, in a process of its own."""
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-runs={runs}", f"-max_len={LONGEST}", "-mutate_depth=1", f"-timeout={SECONDS}",
        "-rss_limit_mb=4096", "-print_final_stats=1", f"-artifact_prefix={folder}/{name}-",
    ]  # fmt: skip
    where = counts(folder, name)
    where.write_text("{}")
    command = [sys.executable, "-m", "tests.fuzz.hunt", name, str(where), str(LONG), *options]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        done = subprocess.run(
            [*command, str(corpus)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": temporary},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    said = done.stdout
    return Found(
        LONG + (last(r"number_of_executed_units: +(\d+)", said) or last(r"^#(\d+)", said)),
        last(r"cov: (\d+)", said),
        time.monotonic() - begin,
        done.returncode != 0,
        said,
    )


def last(pattern: str, said: str) -> int:
    found = re.findall(pattern, said, re.MULTILINE)
    return int(found[-1]) if found else 0


def counts(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def row(name: str, found: Found, folder: Path) -> str:
    """Return the line of a target."""
    told: dict[str, Any] = json.loads(counts(folder, name).read_text())
    inputs = [path.read_bytes() for path in sorted((folder / name).iterdir())]
    run, whole = reached(TARGETS[name], inputs)
    return ROW.format(
        name,
        found.executions,
        told.get("value", 0),
        told.get("refused", 0),
        found.edges,
        f"{run}/{whole}",
        f"{told.get('memory', 0) / 1e6:.1f}",
        f"{1e3 * told.get('seconds', 0):.0f}",
        f"{found.seconds:.0f}",
        "BROKEN" if found.broken else "kept",
    )


def main() -> int:
    """Hunt all targets, and say what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000_000)
    parser.add_argument("--only", default=",".join(TARGETS))
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "fuzz")
    given = parser.parse_args()
    if find_spec("atheris") is None:
        print("atheris is not installed, but is wanted: pip install '.[fuzz]'", file=sys.stderr)
        return 2
    logging.getLogger("tether").disabled = True
    print(ROW.format(*COLUMNS), flush=True)
    total, broken = 0, False
    for name in given.only.split(","):
        found = hunted(name, given.runs * SHARES[name] // 100, given.folder)
        total += found.executions
        broken |= found.broken
        print(row(name, found, given.folder), flush=True)
        if found.broken:
            print(found.said[-4000:], flush=True)
    close()
    print(f"{total} executions: the promise was {'BROKEN' if broken else 'kept'}")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
