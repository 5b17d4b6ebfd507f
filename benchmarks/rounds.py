"""Runs systems in turn, round after round, so that a busy minute strikes them all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks.systems import ROOT, System
from benchmarks.workloads import JOBS

PATIENCE = 240.0
"""Seconds after which a run is given up."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measured(
    systems: Sequence[System],
    jobs: Sequence[str],
    rounds: int,
    scale: float,
    say: Callable[[str], None],
) -> dict[tuple[str, str], list[float | None]]:
    """Return the values of each row and system, one a round, None where a run failed."""
    found: dict[tuple[str, str], list[float | None]] = {}
    for done in range(rounds):
        for job in (job for job in JOBS if job in jobs):
            for system in systems:
                if job in system.jobs:
                    say(f"round {done + 1}/{rounds}  {job}  {system.name}")
                    for row, value in once(system, job, scale, say).items():
                        values = found.setdefault((row, system.name), [])
                        values += [None] * (done - len(values)) + [value]
    return {key: values + [None] * (rounds - len(values)) for key, values in found.items()}


def environment(folder: str = "") -> dict[str, str]:
    """Return what a run starts with: one thread, and the tether that is to be found, if any is.

    That is one in a folder of this checkout, or the one that PYTHONPATH names.
    """
    tether = str(ROOT / folder) if folder else os.environ.get("PYTHONPATH", "")
    paths = [path for path in (tether, str(ROOT)) if path]
    return os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths)}


def once(system: System, job: str, scale: float, say: Callable[[str], None]) -> dict[str, float]:
    """Run one job of one system in a process of its own; no rows if it fails, which is said."""
    command = [sys.executable, "-m", "benchmarks.one", system.name, job, str(scale)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(system.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: itself and its children
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            out, err = process.communicate()
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode == 0 and lines:
        rows: dict[str, float] = json.loads(lines[-1])
        return rows
    reason = err.strip().splitlines()[-1:] or ["it said nothing"]
    say(f"{system.name} failed at {job}, with status {process.returncode}: {reason[0]}")
    return {}
