"""Many seeds of one simulation, several processes at a time; each tells a seed in a line."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from tether.runners.findings import Findings
from tether.runners.simulate import Setting, play


def arguments(setting: Setting, seeds: Sequence[int]) -> list[str]:
    """Return the command line of a process that plays some seeds."""
    argv = [sys.executable, "-m", "tether.runners.sweep", str(setting.wiring)]
    for option, path in (("--network", setting.network), ("--faults", setting.faults)):
        argv += [option, str(path)] if path is not None else []
    argv += [f"--set={text}" for text in setting.sets]
    return [*argv, "--for", str(setting.duration), "--seeds", ",".join(map(str, seeds))]


async def sweep(
    setting: Setting, seeds: Sequence[int], jobs: int
) -> AsyncGenerator[Findings, None]:
    """Yield what each seed finds, as soon as it has; RuntimeError when a process dies."""
    told: asyncio.Queue[Findings | None] = asyncio.Queue()
    shares = [seeds[job::jobs] for job in range(min(jobs, len(seeds)))]
    tasks = [asyncio.create_task(_job(arguments(setting, share), told)) for share in shares]
    try:
        left = len(tasks)
        while left:
            findings = await told.get()
            if findings is None:
                left -= 1
            else:
                yield findings
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _job(argv: Sequence[str], told: asyncio.Queue[Findings | None]) -> None:
    """Hand on what one process tells, and see its end."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            told.put_nowait(Findings.from_json(json.loads(line)))
        code = await process.wait()
        if code:
            raise RuntimeError(f"a process that played seeds exited with code {code}")
    finally:
        if process.returncode is None:  # `process.kill` might take its end from who awaits it
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        told.put_nowait(None)


def main() -> None:
    """Play the seeds that the command line names, and print a line of JSON for each."""
    parser = argparse.ArgumentParser(prog="tether.runners.sweep")
    parser.add_argument("wiring", type=Path)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--for", type=float, dest="duration")
    parser.add_argument("--seeds")
    given = parser.parse_args()
    setting = Setting(given.wiring, given.set, given.network, given.faults, given.duration)
    for seed in map(int, given.seeds.split(",")):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            findings = play(setting, seed, keeps=False).findings
        print(json.dumps(findings.to_json()), flush=True)


def _end_with_starter() -> None:
    """End when the other side of standard input does."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who has started this hears it, and ends it
    threading.Thread(target=_end_with_starter, daemon=True).start()
    main()
