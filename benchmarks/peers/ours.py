"""tether: every actor in a process of its own, wired as tables."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.actors import Center, Mover, Worker
from benchmarks.measure import together
from benchmarks.results import spread
from benchmarks.workloads import moved
from tether.runners.world import By, World

VECTORS = ("W3-4MB", "W3-40MB", "W3-400MB")
SMALL = ("W1", "W1-pinned", "W2")
"""Jobs of small messages, which go over ZeroMQ between hosts."""
SHORT = (*SMALL, "W5")
"""Jobs in which most of the time is tether's own."""
BULK = (*VECTORS, "W4", "ping", "ping-400MB")
"""Jobs of vectors, which have a connection of their own between hosts."""
JOBS = (*SMALL, *VECTORS, "W4", "W5", "ping", "ping-400MB")
LENT = (*VECTORS, "W4")
"""Jobs that can also be done with vectors in transport memory, which are lent, not copied."""
COUNTS = {"W4": 4, "W5": 32}
AGENT_PROCESSES = 2


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job; vectors lie in ordinary memory, and are copied on their way."""
    return asyncio.run(_measured(job, scale, borrowed=False))


def run_borrowed(job: str, scale: float) -> dict[str, float]:
    """Measure one job; vectors lie in transport memory, are lent there, and nobody writes them."""
    return asyncio.run(_measured(job, scale, written=False))


def run_written(job: str, scale: float) -> dict[str, float]:
    """Measure one job; vectors are lent, and the center writes each answer before."""
    return asyncio.run(_measured(job, scale))


def run_tcp(job: str, scale: float) -> dict[str, float]:
    """Measure one job between processes that speak as those of two hosts, in the clear."""
    return asyncio.run(_measured(job, scale, by="tcp", encryption="off"))


def run_sealed(job: str, scale: float) -> dict[str, float]:
    """Measure one job as between two hosts, encrypted as is usual."""
    return asyncio.run(_measured(job, scale, by="tcp"))


def wiring(job: str, **vectors: bool) -> dict[str, dict[str, Any]]:
    """Return the tables of a job; `vectors` says what is done with them."""
    worker: dict[str, Any] = {
        "actor": Worker, "center": "@center", "index": "$index", "count": COUNTS.get(job, 1),
        **vectors,
    }  # fmt: skip
    tables: dict[str, dict[str, Any]] = {"center": {"actor": Center}, "worker": worker}
    if job == "W5":
        worker["processes"] = AGENT_PROCESSES
    if job.startswith("ping"):
        tables["echo"] = {"actor": Center, "beside": "center"}
        mover = {"actor": Mover, "beside": "worker", "center": "@center"}
        tables["mover"] = {**mover, "numbers": moved(job)}
        worker["center"] = "@echo"
    return tables


async def _measured(
    job: str, scale: float, *, by: By = "ipc", encryption: str = "on", **vectors: bool
) -> dict[str, float]:
    tables = {**wiring(job, **vectors), "run": {"encryption": encryption}}
    async with World(tables, "processes", by=by) as world:
        workers = [world.ref(Worker, f"worker/{k}") for k in range(COUNTS.get(job, 1))]
        if job in COUNTS:
            spans = await asyncio.gather(*(worker.span(job, scale) for worker in workers))
            return {job: together(spans)}
        if job.startswith("ping"):
            await world.ref(Mover, "mover").moving()
            return spread(job, await workers[0].durations(job, scale))
        if job.startswith("W1"):
            return {job: spread(job, await workers[0].durations(job, scale))[f"{job}-p50"]}
        return await workers[0].rows(job, scale)
