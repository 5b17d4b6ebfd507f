"""Clocks and counters: how long calls take, how many fit a second, how much memory they need."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.workloads import Floats, touch

Span = tuple[float, float, int]
"""When one of several processes began and ended (seconds, machine-wide), and how much it did."""
FEW = 4


def warm_up(count: int) -> int:
    """Return how many calls are not counted: they meet fresh memory."""
    return 1 if count < FEW else 2


def timed(call: Callable[[], object], count: int) -> list[int]:
    """Return the nanoseconds of each of `count` calls, after some that are not counted."""
    for _ in range(count // 10 + 1):
        call()
    durations = []
    for _ in range(count):
        start = time.perf_counter_ns()
        call()
        durations.append(time.perf_counter_ns() - start)
    return durations


def microseconds(durations: Sequence[int]) -> float:
    """Return the median of nanoseconds, in µs."""
    return median(durations) / 1000


def rate(call: Callable[[], object], count: int) -> float:
    """Return how many calls there are in a second, the first ones not counted."""
    start, end, done = span(call, count)
    return done / (end - start)


def span(call: Callable[[], object], count: int) -> Span:
    """Make `count` calls, after some that are not counted, and say when."""
    for _ in range(warm_up(count)):
        call()
    start = time.monotonic()
    for _ in range(count):
        call()
    return start, time.monotonic(), count


def together(spans: Iterable[Sequence[float]]) -> float:
    """Return how much several processes did in a second, all together."""
    starts, ends, counts = zip(*spans, strict=True)
    return float(sum(counts) / (max(ends) - min(starts)))


def exchange_rates(job: str, count: int, exchange: Callable[[bool], Floats]) -> dict[str, float]:
    """Return both rows of an exchange: handed over untouched, and read by who gets the answer."""

    def untouched() -> None:
        exchange(False)

    def touched() -> None:
        touch(exchange(True))

    return {
        f"{job}-untouched": rate(untouched, count),
        f"{job}-touched": rate(touched, count),
    }


class Memory:
    """How far this process's resident memory rises above what it is now."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._level = _status("VmRSS")

    def risen(self) -> float:
        """Return the highest it has been above the beginning, in MB."""
        return max(0.0, _status("VmHWM") - self._level)


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"/proc/self/status has no field {field}")
