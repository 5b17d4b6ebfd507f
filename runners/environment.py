"""The environment a process of the run starts in: its threads, and the device it may see."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from tether.runners.spec import ActorSpec

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
VISIBLE = "CUDA_VISIBLE_DEVICES"


def child_environment(
    specs: Sequence[ActorSpec], outer: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the variables of the process that hosts these actors, set before torch is imported."""
    outer = os.environ if outer is None else outer
    threads = str(max(spec.threads for spec in specs))
    gpus = [spec.gpu for spec in specs if spec.gpu is not None]
    seen = visible_gpus(outer)[gpus[0]] if gpus else ""
    return {**outer, **dict.fromkeys(THREADS, threads), VISIBLE: seen, "PYTHONUNBUFFERED": "1"}


def visible_gpus(outer: Mapping[str, str] | None = None) -> list[str]:
    """Return the identifiers of the GPUs this process may use, found without importing torch."""
    outer = os.environ if outer is None else outer
    if VISIBLE in outer:
        named = [gpu.strip() for gpu in outer[VISIBLE].split(",") if gpu.strip()]
        return list(takewhile(lambda gpu: gpu != "-1", named))  # CUDA stops reading there
    folder = Path("/proc/driver/nvidia/gpus")
    return [str(index) for index, _ in enumerate(folder.glob("*"))]
