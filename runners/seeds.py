"""Seeds of the generators users draw from without thinking: Python's, numpy's and torch's."""

from __future__ import annotations

import random
import sys


def seed_everything(seed: int, threads: int) -> None:
    """Seed what is imported so far, and hold torch to its threads."""
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
