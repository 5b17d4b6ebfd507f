"""`tether stop`: have the agent of a run end it in good order."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tether.runners.agent import FILE, alive, conducting

PATIENCE = 10.0
"""Seconds a run may take to end: it promises five."""


def stop_run(run: Path, patience: float = PATIENCE) -> str:
    """Ask a run to end and wait until it has; return what came of it, in a sentence.

    FileNotFoundError when there is no such run, TimeoutError when it does not end.
    """
    if not run.is_dir():
        raise FileNotFoundError(f"{run} is no run directory")
    agent = conducting(run)
    if agent is None:
        return f"{run} has ended already"
    pid: int = agent["pid"]
    if not alive(agent) or not _told(pid):
        (run / FILE).unlink(missing_ok=True)
        return f"{run} has ended already: its process {pid} was killed"
    end = time.monotonic() + patience
    while conducting(run) == agent:
        if not alive(agent) and conducting(run) == agent:
            (run / FILE).unlink(missing_ok=True)
            return f"{run} has ended: its process {pid} was killed before it could clean up"
        if time.monotonic() > end:
            raise TimeoutError(f"{run}: process {pid} was told to end, but goes on")
        time.sleep(0.05)
    return f"{run} has ended"


def _told(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True
