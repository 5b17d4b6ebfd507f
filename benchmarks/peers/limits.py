"""What the machine can do at all: copies within one process."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import exchange_rates
from benchmarks.workloads import Floats, amount, numbers, touch

JOBS = ("W3-4MB", "W3-40MB", "W3-400MB")


def run(job: str, scale: float) -> dict[str, float]:
    """Measure an exchange that is two copies into memory already touched."""
    count = numbers(job)
    mine, theirs, sent, answer = (np.ones(count, np.float32) for _ in range(4))

    def exchange(touched: bool) -> Floats:
        np.copyto(sent, mine)
        if touched:
            touch(sent)
        np.copyto(answer, theirs)
        return answer

    return exchange_rates(job, amount(job, scale), exchange)
