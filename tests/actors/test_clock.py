"""The real world's clock goes on, its chance is seeded, its threads are one an actor."""

from __future__ import annotations

import threading
import time

import torch

from tether.actors.clock import SystemClock


def test_time_only_grows() -> None:
    clock = SystemClock()
    first = clock.now()

    assert clock.now() >= first


def test_the_wall_clock_is_utc_since_1970() -> None:
    before = time.time()

    assert before <= SystemClock().wall() <= time.time()


def test_tokens_are_16_digits_nobody_else_has() -> None:
    clock = SystemClock()
    tokens = {clock.token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(len(token) == 16 and int(token, 16) >= 0 for token in tokens)


def test_a_stream_draws_the_same_for_the_same_seed_and_name() -> None:
    def draw(seed: int, stream: str) -> float:
        return SystemClock(seed).random(stream).random()

    assert draw(1, "worker/0") == draw(1, "worker/0")
    assert len({draw(1, "worker/0"), draw(2, "worker/0"), draw(1, "worker/1")}) == 3


def test_an_executor_is_one_thread_named_after_the_actor() -> None:
    with SystemClock().executor("worker/0") as executor:
        names = {executor.submit(lambda: threading.current_thread().name).result() for _ in "abc"}

    assert names == {"worker/0_0"}


def test_torch_takes_no_more_threads_there_than_were_given() -> None:
    with SystemClock(threads=1).executor("worker/0") as executor:
        assert executor.submit(torch.get_num_threads).result() == 1
