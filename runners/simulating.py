"""What `tether simulate` does and shows, for one seed or for many."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tether.runners.folder import RunFolder
from tether.runners.simulate import Played, Setting, play
from tether.runners.sums import Sums
from tether.runners.trace import Trace

if TYPE_CHECKING:
    from rich.console import Console


def simulate(setting: Setting, seed: int, run: Path | None, trace: Path | None) -> int:
    """Simulate one seed, show what was found, and leave a directory; return the exit code.

    0 when all promises held and the run came to its end; 1 when one was broken or somebody was
    given up.
    """
    from rich.console import Console

    setting.check(seed)  # what is wrong is told before anything is made
    console = Console()
    begun = time.monotonic()
    folder = RunFolder.create(f"{setting.wiring.stem}-seed{seed}", run)
    with (folder.logs / "all.log").open("w") as log, contextlib.ExitStack() as stack:
        file = stack.enter_context(trace.open("w")) if trace is not None else None
        stack.enter_context(ended_by_kill())
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        played = play(setting, seed, Trace(file) if file is not None else None)
    _show(played, setting, folder, console)
    console.print(f"{time.monotonic() - begun:.1f} s of real time", highlight=False)
    for sentence in played.findings.broken:
        print(f"broken {sentence}", file=sys.stderr)
    if played.findings.broken:
        print(f"play it again: {setting.command(seed)}", file=sys.stderr)
        return 1
    return int(played.findings.outcome == "failed")


def _show(played: Played, setting: Setting, folder: RunFolder, console: Console) -> None:
    from tether.runners.findings_page import page
    from tether.runners.simulation_folder import keep
    from tether.runners.timeline import draw, story

    keep(played, setting, folder)
    console.print(page(played.findings), markup=False, highlight=False, soft_wrap=True)
    if played.findings.trace:
        console.print(f"trace: {played.findings.trace}", highlight=False)
    try:
        whole = story(played.simulation, played.findings.name, played.result.seconds, played.began)
        draw(whole, folder.path / "timeline.png")
    except ImportError as error:
        print(f"no timeline: {error}", file=sys.stderr)
    console.print(f"run directory {folder.path}", highlight=False, soft_wrap=True)
    if not played.findings.broken:
        console.print("all promises held", highlight=False)


def simulate_all(setting: Setting, seed: int, seeds: int, jobs: int) -> int:
    """Simulate many seeds; return 1 when one of them broke a promise.

    For each that did, the sentences and the command that plays it again are printed at once.
    """
    setting.check(seed)
    begun = time.monotonic()
    sums = Sums()
    with ended_by_kill():
        asyncio.run(_all(setting, range(seed, seed + seeds), jobs, sums))
    print(sums.text(time.monotonic() - begun))
    return int(bool(sums.broken))


async def _all(setting: Setting, seeds: range, jobs: int, sums: Sums) -> None:
    from tether.runners.sweep import sweep

    async with contextlib.aclosing(sweep(setting, seeds, jobs)) as told:
        async for findings in told:
            sums.add(findings)
            for sentence in findings.broken:
                print(f"seed {findings.seed}: broken {sentence}", file=sys.stderr)
            if findings.broken:
                print(f"play it again: {setting.command(findings.seed)}", file=sys.stderr)
            if sums.seeds % 100 == 0:
                print(f"{sums.seeds} of {len(seeds)} seeds, {len(sums.broken)} broken", flush=True)


@contextlib.contextmanager
def ended_by_kill() -> Iterator[None]:
    """Have `kill` end a simulation as Ctrl-C does: at once, and with all its processes."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
