"""Many trainings, several processes at a time."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from play import Training

PLAY = Path(__file__).with_name("play.py")


async def all_played(
    trainings: Sequence[Training], jobs: int, done: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Return what came of each, in their order; RuntimeError when a process dies."""
    found: list[dict[str, Any]] = [{}] * len(trainings)
    left = iter(enumerate(trainings))
    async with asyncio.TaskGroup() as group:
        for _ in range(min(jobs, len(trainings))):
            group.create_task(_share(left, found, done))
    return found


async def _share(
    left: Iterator[tuple[int, Training]],
    found: list[dict[str, Any]],
    done: Callable[[int], None],
) -> None:
    """Give one process a training after the other, as long as there are some."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PLAY), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for index, training in left:
            process.stdin.write(json.dumps(asdict(training)).encode() + b"\n")
            answer = await process.stdout.readline()
            if not answer:
                raise RuntimeError(f"the process that played {training} has died")
            found[index] = json.loads(answer)
            done(index)
    finally:
        process.stdin.close()
        await process.wait()
