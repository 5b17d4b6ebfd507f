"""tether: every actor in a process of its own, wired as tables."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.actors import Center, Mover, Worker
from benchmarks.measure import together
from benchmarks.results import spread
from tether.runners.world import World

JOBS = ("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB", "W4", "W5", "ping")
COPIED = ("W3-4MB", "W3-40MB", "W3-400MB", "W4")
"""Jobs that can also be done with a vector in ordinary memory, which every send copies."""
COUNTS = {"W4": 4, "W5": 32}
AGENT_PROCESSES = 2


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job; the worker's vector lies in transport memory, and is lent."""
    return asyncio.run(_measured(job, scale, borrowed=True))


def run_copied(job: str, scale: float) -> dict[str, float]:
    """Measure one job; the worker's vector lies in ordinary memory, and is copied."""
    return asyncio.run(_measured(job, scale, borrowed=False))


def wiring(job: str, *, borrowed: bool) -> dict[str, dict[str, Any]]:
    """Return the tables of a job."""
    worker: dict[str, Any] = {
        "actor": Worker, "center": "@center", "index": "$index", "borrowed": borrowed,
        "count": COUNTS.get(job, 1),
    }  # fmt: skip
    tables: dict[str, dict[str, Any]] = {"center": {"actor": Center}, "worker": worker}
    if job == "W5":
        worker["processes"] = AGENT_PROCESSES
    if job == "ping":
        tables["echo"] = {"actor": Center, "beside": "center"}
        tables["mover"] = {"actor": Mover, "beside": "worker", "center": "@center"}
        worker["center"] = "@echo"
    return tables


async def _measured(job: str, scale: float, *, borrowed: bool) -> dict[str, float]:
    async with World(wiring(job, borrowed=borrowed), "processes") as world:
        workers = [world.ref(Worker, f"worker/{k}") for k in range(COUNTS.get(job, 1))]
        if job in COUNTS:
            spans = await asyncio.gather(*(worker.span(job, scale) for worker in workers))
            return {job: together(spans)}
        if job == "ping":
            await world.ref(Mover, "mover").moving()
        if job == "ping" or job.startswith("W1"):
            rows = spread(job, await workers[0].durations(job, scale))
            return rows if job == "ping" else {job: rows[f"{job}-p50"]}
        return await workers[0].rows(job, scale)
