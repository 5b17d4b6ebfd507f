"""Times, rates and shares as people write them in a file: "20ms", "1GB/s", 0.05."""

from __future__ import annotations

import math
import re
from typing import Any

from tether.runners.problems import Problems, Where

SECONDS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BITS = {"bit": 1 / 8, "kbit": 1e3 / 8, "Mbit": 1e6 / 8, "Gbit": 1e9 / 8}
RATES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9} | BITS
NUMBER = r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*"


def seconds(raw: Any, where: Where, problems: Problems) -> float:
    """Return the seconds of a time: a number of 0 or more, or a text like "20ms"."""
    found = re.fullmatch(NUMBER + r"([a-z]*)", raw) if isinstance(raw, str) else None
    if found and found[2] in SECONDS and math.isfinite(float(found[1])):
        return float(found[1]) * SECONDS[found[2]]
    if _is_number(raw) and raw >= 0:
        return float(raw)
    text = 'a time of 0 or more is wanted: seconds, or a text such as "20ms", "3s", "5m"'
    problems.add(where.holds(raw), text)
    return 0.0


def rate(raw: Any, where: Where, problems: Problems) -> float:
    """Return the bytes a second of a rate above 0, like "1GB/s" or "100Mbit/s"."""
    found = re.fullmatch(NUMBER + r"([A-Za-z]+)/s", raw) if isinstance(raw, str) else None
    if found and found[2] in RATES and float(found[1]) > 0:
        return float(found[1]) * RATES[found[2]]
    problems.add(where.holds(raw), 'a rate above 0 is wanted, such as "1GB/s" or "100Mbit/s"')
    return math.inf


def share(raw: Any, where: Where, problems: Problems) -> float:
    """Return a probability from 0 to 1."""
    if _is_number(raw) and 0 <= raw <= 1:
        return float(raw)
    problems.add(where.holds(raw), "a share from 0 to 1 is wanted")
    return 0.0


def factor(raw: Any, where: Where, problems: Problems) -> float:
    """Return a factor above 0."""
    if _is_number(raw) and raw > 0:
        return float(raw)
    problems.add(where.holds(raw), "a factor above 0 is wanted")
    return 1.0


def _is_number(raw: Any) -> bool:
    return type(raw) in (int, float) and math.isfinite(raw)
