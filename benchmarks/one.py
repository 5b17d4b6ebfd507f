"""One job of one system, in a fresh process: `python -m benchmarks.one SYSTEM JOB SCALE`."""

from __future__ import annotations

import ctypes
import json
import os
import sys

from benchmarks.systems import ALL

AS_IT_IS = 0xFFFFFFFF
FIXED = 0x0040000
"""ADDR_NO_RANDOMIZE of Linux's personality(2)."""


def main() -> None:
    """Do it, and print its rows as one line of JSON."""
    name, job, scale = sys.argv[1:]
    if job.endswith("-pinned"):
        _fix_addresses()
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = ALL[name].run(job, float(scale))
    print(json.dumps(rows), flush=True)


def _fix_addresses() -> None:
    """Begin anew with addresses that are the same in all processes that are started from here.

    A core that two processes share predicts the branches of one by what it has learnt of the other,
    if their code lies at the same addresses. That of those who are forked does, and then an ask
    takes half as long. So that all are measured alike, it is to lie so for everybody.
    """
    personality = getattr(ctypes.CDLL(None), "personality", None)
    if personality is None:
        return
    before = personality(AS_IT_IS)
    if not before & FIXED and personality(before | FIXED) != -1:
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.one", *sys.argv[1:]])


if __name__ == "__main__":
    main()
