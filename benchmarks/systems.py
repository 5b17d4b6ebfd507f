"""Who is measured: the systems, what each can do, and how one job of one is run."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPILED = "build/compiled"
"""Where `make compiled` puts it."""


@dataclass(frozen=True, slots=True)
class System:
    """One system: the module that drives it, and its functions there.

    `needs` is a package that has to be installed, and `folder` one of this checkout in which tether
    is found instead. `pace` is how much of the usual amount it does, so that slow ones take no
    longer than fast ones.
    """

    name: str
    module: str
    function: str = "run"
    jobs_name: str = "JOBS"
    needs: str = ""
    folder: str = ""
    pace: float = 1.0

    @property
    def installed(self) -> bool:
        """Whether what it needs is there."""
        there = not self.folder or (ROOT / self.folder).is_dir()
        return there and (not self.needs or importlib.util.find_spec(self.needs) is not None)

    @property
    def jobs(self) -> tuple[str, ...]:
        """Return the jobs it can do."""
        jobs: tuple[str, ...] = getattr(self._loaded(), self.jobs_name)
        return jobs

    def run(self, job: str, scale: float) -> dict[str, float]:
        """Do one job in this process, and return its rows."""
        function: Callable[[str, float], dict[str, float]] = getattr(self._loaded(), self.function)
        return function(job, scale * self.pace)

    def _loaded(self) -> Any:
        return importlib.import_module(f"benchmarks.peers.{self.module}")


ALL = {
    system.name: system
    for system in (
        System("limit-memcpy", "limits"),
        System("limit-shm", "shm"),
        System("limit-unix", "sockets", "run_unix"),
        System("limit-tcp", "sockets", "run_tcp"),
        System("zmq-block", "zmq_block"),
        System("zmq-reader", "zmq_reader"),
        System("zmq-curve", "zmq_block", "run_curve", "CURVED"),
        System("tether", "ours"),
        System("tether-borrowed", "ours", "run_borrowed", "LENT"),
        System("tether-written", "ours", "run_written", "LENT"),
        System("tether-wire", "wire"),
        System("tether-zmq", "ours", "run_tcp", "SMALL"),
        System("tether-compiled", "ours", "run", "SHORT", folder=COMPILED),
        System("tether-compiled-wire", "wire", folder=COMPILED),
        System("tether-compiled-zmq", "ours", "run_tcp", "SMALL", folder=COMPILED),
        System("tether-tcp", "ours", "run_tcp", "BULK"),
        System("tether-sealed", "ours", "run_sealed", "BULK"),
        System("ray", "ray", needs="ray", pace=0.1),
        System("monarch", "monarch", needs="monarch", pace=0.1),
        System("xoscar", "xoscar", needs="xoscar", pace=0.1),
    )
}
"""By name, in the order they are run and shown."""
