"""One job of one system, in a fresh process: `python -m benchmarks.one SYSTEM JOB SCALE`."""

from __future__ import annotations

import json
import os
import sys

from benchmarks.systems import ALL


def main() -> None:
    """Do it, and print its rows as one line of JSON."""
    name, job, scale = sys.argv[1:]
    if job.endswith("-pinned"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = ALL[name].run(job, float(scale))
    print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
