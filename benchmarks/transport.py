"""tether's transport against physical limits and peers: latency, rates, tensors, memory.

python benchmarks/transport.py [--rounds 5] [--only W1,W3] [--systems tether,unix] [--json FILE]
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from rich.console import Console

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.results import markdown, rows, table, write
from benchmarks.rounds import measured
from benchmarks.systems import ALL, System
from benchmarks.workloads import JOBS

VERSIONED = ("pyzmq", "uvloop", "msgpack", "numpy", "torch", "ray", "torchmonarch", "xoscar")


def main() -> None:
    """Measure what is asked for, and show it."""
    given = arguments()
    console = Console(width=120)
    say = Console(stderr=True, highlight=False).print
    systems = [system for system in chosen(given.systems) if _is_there(system, say)]
    jobs = [job for job in JOBS if not given.only or job.startswith(tuple(given.only))]
    say(circumstances())
    found = measured(systems, jobs, given.rounds, given.scale, say)
    made = rows(found)
    say(f"load at the end: {load()}")
    if given.markdown:
        print(markdown(made))
    else:
        console.print(table(made))
    if given.json:
        write(made, given.json)


def arguments() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(ALL)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is run")
    parser.add_argument("--only", type=_words, default=[], help="first letters of workloads")
    parser.add_argument("--systems", type=_words, default=[], help=f"some of: {names}")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual messages")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args()


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def chosen(names: Iterable[str]) -> list[System]:
    """Return the systems of these names, or all; ends the program at one that is unknown."""
    names = list(names) or list(ALL)
    for name in names:
        if name not in ALL:
            sys.exit(f"--systems {name}: there is no such system; there are {', '.join(ALL)}")
    return [ALL[name] for name in names]


def _is_there(system: System, say: Callable[[str], None]) -> bool:
    if not system.installed:
        say(f"{system.name} is left out: the package {system.needs} is not installed")
    return system.installed


def circumstances() -> str:
    """Return on what this was measured: machine, versions, load."""
    found = [f"Python {platform.python_version()}"]
    for name in VERSIONED:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return f"Linux {platform.release()}, {_processor()}; {', '.join(found)}; load {load()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{len(models)} × {models[0]}" if models else platform.machine()


def load() -> str:
    """Return the machine's load over 1, 5 and 15 minutes."""
    return " ".join(Path("/proc/loadavg").read_text().split()[:3])


if __name__ == "__main__":
    main()
