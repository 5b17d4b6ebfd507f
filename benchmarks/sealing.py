"""What encryption costs between hosts: vectors over TCP loopback, in the clear, sealed, by CURVE.

python benchmarks/sealing.py [--rounds 7] [--job W3-40MB] [--scale 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import torch  # noqa: F401 - before the clocks run, and before the process is forked
import uvloop
import zmq
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.actors import Center, Worker
from benchmarks.forks import Fork
from benchmarks.peers.zmq_block import run_curve
from benchmarks.rounds import PATIENCE, environment
from benchmarks.systems import ROOT
from benchmarks.transport import circumstances, load
from tether.actors.directory import Directory, Place
from tether.actors.frames import Origin
from tether.actors.keyring import Keyring
from tether.actors.node import Node
from tether.actors.zeromq import ZeroMQ

WAYS = {"clear": "off", "control": "control", "sealed": "on", "curve": ""}
"""What is compared, with the level of encryption of each; CURVE is that of plain ZeroMQ."""
HOSTS = {"worker": "a", "center": "b"}

Found = dict[str, dict[str, list[float]]]
"""Rows, ways, and a value of each round."""


def main() -> None:
    """Measure, and show it."""
    given = arguments()
    if given.way:
        print(json.dumps(one(given.way, given.job, given.scale)), flush=True)
        return
    say = Console(stderr=True, highlight=False).print
    say(circumstances())
    found: Found = {}
    for done in range(given.rounds):
        for way in WAYS:
            say(f"round {done + 1}/{given.rounds}  {way}")
            for row, value in fresh(way, given.job, given.scale).items():
                found.setdefault(row, {}).setdefault(way, []).append(value)
    say(f"load at the end: {load()}")
    Console(width=100).print(table(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is done")
    parser.add_argument("--job", default="W3-40MB", help="a workload of transport.py")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual messages")
    parser.add_argument("--json", type=Path, help="file to write every round's values to")
    parser.add_argument("--way", default="", choices=["", *WAYS], help="measure this way once")
    return parser.parse_args()


def fresh(way: str, job: str, scale: float) -> dict[str, float]:
    """Measure one way in processes of its own."""
    command = [sys.executable, "-m", "benchmarks.sealing", "--way", way, "--job", job]
    done = subprocess.run(
        [*command, "--scale", str(scale)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True,
        timeout=PATIENCE,
    )  # fmt: skip
    rows: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return rows


def one(way: str, job: str, scale: float) -> dict[str, float]:
    """Return the rows of a worker and a center in two processes, as if on two hosts."""
    if way == "curve":
        return curve(job, scale)
    addresses = endpoints()
    pairs = {host: zmq.curve_keypair() for host in HOSTS.values()}
    public = {host: pair[0] for host, pair in pairs.items()}
    keys = {side: Keyring(h, pairs[h][1], public) for side, h in HOSTS.items()}
    before = processor(resource.RUSAGE_SELF)
    with Fork(lambda: uvloop.run(serve(way, keys["center"], addresses))):
        rows = uvloop.run(measure(way, keys["worker"], addresses, job, scale))
    spent = processor(resource.RUSAGE_SELF) - before + processor(resource.RUSAGE_CHILDREN)
    return rows | {f"{job}-processor": spent}


def curve(job: str, scale: float) -> dict[str, float]:
    """Return the rows of ZeroMQ alone, which encrypts each vector as one message."""
    before = processor(resource.RUSAGE_SELF)
    rows = run_curve(job, scale)
    spent = processor(resource.RUSAGE_SELF) - before + processor(resource.RUSAGE_CHILDREN)
    return rows | {f"{job}-processor": spent}


def processor(whose: int) -> float:
    """Return the seconds of processor time that this process, or its children, have taken."""
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def endpoints() -> dict[str, tuple[str, str]]:
    """Return endpoints that are free now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    ends = [f"tcp://127.0.0.1:{each.getsockname()[1]}" for each in held]
    for each in held:
        each.close()
    return {"worker": (ends[0], ends[1]), "center": (ends[2], ends[3])}


def node(side: str, way: str, keyring: Keyring, addresses: Mapping[str, tuple[str, str]]) -> Node:
    """Return one of the two processes."""
    transport = ZeroMQ(side, 1, addresses, keyring=keyring, hosts=HOSTS, encryption=WAYS[way])
    places = {
        "center/0": Place("center", Center),
        "worker/0": Place("worker", Worker),
        **{side: Place(side, object) for side in HOSTS},
    }
    return Node(Origin("run", side, 1), Directory(places), transport=transport)


async def serve(way: str, keyring: Keyring, addresses: Mapping[str, tuple[str, str]]) -> None:
    """Be the center, until killed."""
    center = node("center", way, keyring, addresses)
    center.spawn("center/0", Center)
    await center.start()
    await asyncio.Event().wait()


async def measure(
    way: str, keyring: Keyring, addresses: Mapping[str, tuple[str, str]], job: str, scale: float
) -> dict[str, float]:
    """Be the worker, and return what it measures."""
    here = node("worker", way, keyring, addresses)
    await here.start()
    cell = here.spawn("worker/0", lambda: Worker(here.ref("center/0"), 0))
    cell.live(lambda _name, _error: None)
    worker: Any = here.ref("worker/0")
    rows: dict[str, float] = await worker.rows(job, scale)
    with suppress(TimeoutError):
        await asyncio.wait_for(here.close(0), 5)
    return rows


def ratios(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return the rounds' own ratios."""
    return [value / other for value, other in zip(values, reference, strict=True)]


def table(found: Found) -> Table:
    """Return the medians, and those of the ratios to what is in the clear and to CURVE."""
    shown = Table("row", "way", box=None)
    for name in ("median (min..max)", "x clear", "x curve"):
        shown.add_column(name, justify="right")
    for row, ways in found.items():
        for way, values in ways.items():
            parts = (values, ratios(values, ways["clear"]), ratios(values, ways["curve"]))
            shown.add_row(row, way, *map(spread, parts))
    return shown


def spread(values: Sequence[float]) -> str:
    """Return median, least and greatest in a few characters."""
    return f"{median(values):.3g} ({min(values):.3g}..{max(values):.3g})"


if __name__ == "__main__":
    main()
