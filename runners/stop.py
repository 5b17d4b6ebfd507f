"""`tether stop`: have the agent of a run end it in good order."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tether.runners.folder import RunFolder

PATIENCE = 10.0
"""Seconds a run may take to end: it promises five."""


def stop_run(run: Path, patience: float = PATIENCE) -> str:
    """Ask a run to end and wait until it has; return what came of it, in a sentence.

    FileNotFoundError when there is no such run, TimeoutError when it does not end.
    """
    if not run.is_dir():
        raise FileNotFoundError(f"{run} is no run directory")
    folder = RunFolder(run)
    pid = folder.agent()
    if pid is None:
        return f"{run} has ended already"
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        folder.remove_agent()
        return f"{run} has ended already: its process {pid} was killed"
    end = time.monotonic() + patience
    while folder.agent() is not None:
        if time.monotonic() > end:
            raise TimeoutError(f"{run}: process {pid} was told to end, but goes on")
        time.sleep(0.05)
    return f"{run} has ended"
