"""Compares this tree with an earlier commit of itself, in one run, turn by turn.

python benchmarks/against.py COMMIT [--rounds 7] [--only W2,W3-40MB] [--scale 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import json

from benchmarks.rounds import once
from benchmarks.systems import ALL, ROOT

Values = dict[str, list[tuple[float, float]]]
"""By row: what it was then and is now, in each round."""


def main() -> None:
    """Measure both trees, and show what has changed."""
    given = arguments()
    console = Console(width=100)
    say = Console(stderr=True, highlight=False).print
    found: Values = {}
    with tempfile.TemporaryDirectory() as folder:
        then = checked_out(given.commit, Path(folder) / "then")
        for done in range(given.rounds):
            for job in given.only:
                say(f"round {done + 1}/{given.rounds}  {job}")
                sides = [then, ROOT] if done % 2 else [ROOT, then]
                rows = {side: measured(side, job, given.scale, say) for side in sides}
                for row in rows[then].keys() & rows[ROOT].keys():
                    found.setdefault(row, []).append((rows[then][row], rows[ROOT][row]))
    console.print(table(found, given.commit))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=7, help="how often both are run")
    parser.add_argument("--only", type=lambda text: text.split(","), default=["W2", "W3-40MB"])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual messages")
    parser.add_argument("--json", type=Path, help="file to write all values to")
    return parser.parse_args()


def checked_out(commit: str, folder: Path) -> Path:
    """Return a copy of the repository as it was at a commit."""
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", "--detach", commit],
    ):
        subprocess.run(command, check=True)
    return folder


def measured(tree: Path, job: str, scale: float, say: Callable[[str], None]) -> dict[str, float]:
    """Return the rows of a job, done by the tether of one tree."""
    with importing(tree):
        return once(ALL["tether"], job, scale, say)


@contextmanager
def importing(tree: Path) -> Iterator[None]:
    """Have processes that are started import the tether of a tree."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(tree / "typings")
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def table(found: Values, commit: str) -> Table:
    """Return medians of both, and the median and range of the rounds' ratios."""
    made = Table("", commit[:10], "now", "now / then", "least", "greatest", "rounds")
    for row, pairs in sorted(found.items()):
        ratios = sorted(now / then for then, now in pairs)
        numbers = [median(then for then, _ in pairs), median(now for _, now in pairs)]
        shown = [f"{number:,.1f}" for number in numbers]
        spread = [f"{ratio:.3f}" for ratio in (median(ratios), ratios[0], ratios[-1])]
        made.add_row(row, *shown, *spread, str(len(pairs)))
    return made


if __name__ == "__main__":
    main()
