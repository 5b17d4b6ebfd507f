"""What every system does: payloads, amounts, and the arithmetic both ends do on what comes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PAYLOAD = bytes(range(64))
OBSERVATION = 84 * 84 * 4
"""Bytes of four stacked frames of 84 × 84 pixels."""
ACTIONS = 7
IN_FLIGHT = 16
BATCH = 64
"""Observations a predictor takes at once."""
SIZES = {"4MB": 1_000_000, "40MB": 10_000_000, "400MB": 100_000_000}
"""Numbers (float32) of the vector that is exchanged."""
SMALL = 50_000
"""Numbers of the one that goes before, so that what else an exchange takes is there already."""

OVER_TCP = frozenset({"tether-tcp", "tether-sealed", "zmq-curve"})
"""Systems whose vectors go over TCP on the loopback device, and are compared with raw TCP."""

JOBS = (
    *("W1", "W1-pinned", "W2", "W3-4MB", "W3-40MB", "W3-400MB", "W4", "W5", "ping"),
    "ping-400MB",
)
"""What one process start measures; a job may give several rows."""

AMOUNTS = {
    "W1": 3000,
    "W1-pinned": 3000,
    "W2": 100_000,
    "W2-ask16": 12_000,
    "W3-4MB": 80,
    "W3-40MB": 12,
    "W3-400MB": 2,
    "W4": 60,
    "W5": 120,
    "ping": 1000,
    "ping-400MB": 1000,
}
"""Messages of one run at scale 1; W4 and W5: of each worker and each agent."""


def amount(what: str, scale: float) -> int:
    """Return how many messages a run sends at this scale."""
    return max(2, round(AMOUNTS[what] * scale))


def numbers(job: str) -> int:
    """Return how many numbers the vector of a W3 job has."""
    return SIZES[job.removeprefix("W3-")]


def moved(job: str) -> int:
    """Return how many numbers the vector has that moves during a job of pings."""
    return SIZES[job.removeprefix("ping-") if "-" in job else "40MB"]


def touch(values: NDArray[Any]) -> float:
    """Read all of a vector, as whoever uses it will."""
    return float(values.sum())


def observation(seed: int) -> NDArray[np.uint8]:
    """Return one agent's observation."""
    return np.random.default_rng(seed).integers(0, 255, OBSERVATION, np.uint8)


def predictions(observations: NDArray[np.uint8]) -> Floats:
    """Return (k, 7) numbers that depend on every byte of (k, 28224) observations."""
    sums = observations.view(np.int64).sum(axis=1) & 0xFF
    return np.repeat(sums.astype(np.float32)[:, None], ACTIONS, axis=1)


def unit(row: str) -> str:
    """Return the unit of a row's values."""
    if row.startswith(("W1", "ping")):
        return "µs"
    if row.endswith(("-worker", "-center")):
        return "MB"
    if row.startswith("W2"):
        return "asks/s" if row.endswith("ask16") else "messages/s"
    return "requests/s" if row.startswith("W5") else "exchanges/s"


def reference(row: str, system: str = "") -> str:
    """Return the system that the others, or this one, are compared with in this row."""
    if system in OVER_TCP and row.startswith("W3") and unit(row) == "exchanges/s":
        return "limit-tcp"
    if row.startswith(("W1", "W2")):
        return "limit-unix"
    if row.endswith(("-worker", "-center")) or row.startswith("W5"):
        return "zmq-block"
    return "zmq-reader" if row.startswith("ping") else "limit-shm"
