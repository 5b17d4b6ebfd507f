"""The limit between two processes: shared memory, a semaphore each way, one copy each way."""

from __future__ import annotations

import ctypes
import mmap
from contextlib import ExitStack

import numpy as np

from benchmarks.forks import Fork
from benchmarks.measure import Span, exchange_rates, microseconds, span, timed, together
from benchmarks.workloads import SIZES, Floats, amount, numbers, touch

JOBS = ("W1", "W1-pinned", "W3-4MB", "W3-40MB", "W3-400MB", "W4")
WORKERS = 4
PAGE = 4096
LINE = 64

libc = ctypes.CDLL(None, use_errno=True)


class Semaphore:
    """A POSIX semaphore in shared memory: it has no name, and ends with the memory."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._at = ctypes.byref(ctypes.c_char.from_buffer(memory, offset))
        if libc.sem_init(self._at, 1, 0) != 0:
            raise OSError(ctypes.get_errno(), "sem_init: no semaphore could be made")

    def post(self) -> None:
        """Let one who waits go on."""
        libc.sem_post(self._at)

    def wait(self) -> None:
        """Wait for a post."""
        while libc.sem_wait(self._at) != 0:
            pass  # a signal came; wait on


class Segment:
    """What a worker shares with the center: two semaphores, the vector and the answer."""

    def __init__(self, count: int) -> None:
        size = PAGE + 2 * 4 * count
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
        memory = mmap.mmap(-1, size, flags)
        self.asked = Semaphore(memory, 0)
        self.answered = Semaphore(memory, LINE)
        self.waiting = np.frombuffer(memory, np.uint8, 1, 2 * LINE)
        self.x = np.frombuffer(memory, np.float32, count, PAGE)
        self.answer = np.frombuffer(memory, np.float32, count, PAGE + 4 * count)


def run(job: str, scale: float) -> dict[str, float]:
    """Measure one job."""
    count = amount(job, scale)
    if job.startswith("W1"):
        return {job: _latency(count)}
    if job == "W4":
        return {job: _workers(count)}
    return _exchanges(job, count)


def _latency(count: int) -> float:
    segment = Segment(0)

    def serve() -> None:
        while True:
            segment.asked.wait()
            segment.answered.post()

    def ask() -> None:
        segment.asked.post()
        segment.answered.wait()

    with Fork(serve):
        return microseconds(timed(ask, count))


def _exchanges(job: str, count: int) -> dict[str, float]:
    segment = Segment(numbers(job))
    mine = np.ones(numbers(job), np.float32)

    def exchange(touched: bool) -> Floats:
        np.copyto(segment.x, mine)
        segment.waiting[0] = touched
        segment.asked.post()
        segment.answered.wait()
        return segment.answer

    with Fork(lambda: _serve(segment)):
        return exchange_rates(job, count, exchange)


def _serve(segment: Segment) -> None:
    theirs = np.ones(len(segment.x), np.float32)
    while True:
        segment.asked.wait()
        if segment.waiting[0]:
            touch(segment.x)
        np.copyto(segment.answer, theirs)
        segment.answered.post()


def _workers(count: int) -> float:
    segments = [Segment(SIZES["4MB"]) for _ in range(WORKERS)]
    bell = segments[0].asked
    with ExitStack() as stack:
        stack.enter_context(Fork(lambda: _serve_all(segments, bell)))
        workers = [
            stack.enter_context(Fork(lambda segment=segment: _work(segment, bell, count)))  # type: ignore[misc]
            for segment in segments
        ]
        return together(worker.result() for worker in workers)


def _serve_all(segments: list[Segment], bell: Semaphore) -> None:
    theirs = np.ones(SIZES["4MB"], np.float32)
    while True:
        bell.wait()
        segment = next(segment for segment in segments if segment.waiting[0])
        segment.waiting[0] = 0
        touch(segment.x)
        np.copyto(segment.answer, theirs)
        segment.answered.post()


def _work(segment: Segment, bell: Semaphore, count: int) -> Span:
    mine = np.ones(len(segment.x), np.float32)

    def exchange() -> None:
        np.copyto(segment.x, mine)
        segment.waiting[0] = 1
        bell.post()
        segment.answered.wait()
        touch(segment.answer)

    return span(exchange, count)
