"""One target, whose inputs libFuzzer changes for as long as that reaches anything new.

python -m tests.fuzz.hunt TARGET COUNTS MANY [libFuzzer's options] CORPUS

Before that MANY inputs are made that may be longer than libFuzzer's.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["tether.actors", "tether.runners"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.contract import MEBIBYTE, Breach, Meter
from tests.fuzz.mutation import mutated

EVERY = 32
"""Of so many inputs the memory of one is measured; all others have a process's limit alone."""
ROOM = 512 * MEBIBYTE
"""What the process may take beside what it has at the start: beyond it there is no memory."""
STRUCTURED = 0.5
"""How often an input is changed by what it says, and not by libFuzzer's own ways."""


class Hunt:
    """Feeds one target, and keeps the counts where they can be read from outside."""

    def __init__(self, name: str, counts: Path) -> None:
        self.meter = Meter(TARGETS[name], EVERY)
        self._counts = counts
        self._seeds = tuple(TARGETS[name].seeds())
        self._random = Random(name)

    def begin(self, many: int) -> None:
        """Try inputs that are longer than those of libFuzzer."""
        for _ in range(many):
            self.tries(mutated(self._random.choice(self._seeds), self._random, self._seeds))

    def tries(self, data: bytes) -> None:
        """Try an input."""
        try:
            self.meter.tries(data)
        except Breach:
            self.write()
            raise
        if self.meter.count.total() % 1000 == 1:
            self.write()

    def changed(self, data: bytes, most: int, seed: int) -> bytes:
        """Return a changed input."""
        if self._random.random() < STRUCTURED:
            return mutated(data, self._random, self._seeds)[:most]
        found: bytes = atheris.Mutate(data, most)
        return found

    def write(self) -> None:
        """Write down what has come of the inputs so far."""
        meter = self.meter
        told = {**meter.count, "memory": meter.most_memory, "seconds": meter.most_seconds}
        self._counts.write_text(json.dumps(told))


def limit_memory() -> None:
    """Have whatever would take far too much memory get none."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Hunt until libFuzzer has had enough."""
    name, counts, many, *options = sys.argv[1:]
    logging.getLogger("tether").disabled = True
    hunt = Hunt(name, Path(counts))
    hunt.begin(1)  # what is made once
    limit_memory()
    hunt.begin(int(many))
    atheris.Setup([sys.argv[0], *options], hunt.tries, custom_mutator=hunt.changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
