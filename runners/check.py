"""Link a wiring in a child process: what it imports never runs in the command's own."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tether.runners.allowance import memory
from tether.runners.codecs import lines
from tether.runners.edges import bounds, overcommitted
from tether.runners.linker import link
from tether.runners.problems import WiringError
from tether.runners.spec import Plan
from tether.runners.wiring import override, read

WRONG = 2
"""The exit code of a wiring that cannot be run as written."""


def checked(path: Path | str, sets: Sequence[str] = (), patience: float = 120.0) -> tuple[int, str]:
    """Return (0, a summary) or (2, every fault of the file); `patience` in seconds."""
    try:
        plan = planned(path, sets, patience)
    except WiringError as error:
        return WRONG, str(error)
    notes = [f"note: {note}" for note in plan.notes]
    return 0, "\n".join(
        [f"{Path(path).name}: ok, {summary(plan)}", *bounds(plan), *lines(plan), *notes]
    )


def planned(path: Path | str, sets: Sequence[str] = (), patience: float = 120.0) -> Plan:
    """Return the plan of a wiring file, with what its modules print among the notes.

    A fault raises WiringError, also where importing ends the child or takes longer than `patience`
    seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        argv = [sys.executable, "-m", "tether.runners.check", str(path), str(answer)]
        code, said = _run(argv + [f"--set={text}" for text in sets], path, patience)
        if not answer.exists():
            raise WiringError([_early(path, code, said)])
        data = json.loads(answer.read_text())
    if data["problems"]:
        raise WiringError(data["problems"])
    plan = Plan.from_wire(data["plan"])
    if not plan.hosts and (problems := overcommitted(plan, memory())):
        raise WiringError(problems)
    return replace(plan, notes=(*data["notes"], *_printed(said)))


def _run(argv: Sequence[str], path: Path | str, patience: float) -> tuple[int, list[str]]:
    """Return a child's exit code, and the lines it printed."""
    try:
        child = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        text = f"{path}: importing its modules takes longer than {patience:g} s"
        raise WiringError([text]) from None
    return child.returncode, child.stdout.decode(errors="replace").strip().splitlines()


def _early(path: Path | str, code: int, said: Sequence[str]) -> str:
    last = f" after {said[-1]!r}" if said else ""
    return f"{path}: importing its modules ended the check{last} (exit code {code})"


def _printed(said: Sequence[str]) -> list[str]:
    if not said:
        return []
    size = f"{len(said)} lines" if len(said) > 1 else "a line"
    return [f"importing its modules prints {size} in every process: {said[0]!r}"]


def summary(plan: Plan) -> str:
    """Return how much a plan starts, and how much it may come to: actors, processes, hosts."""
    hosts = _several(len(plan.hosts), "host") if plan.hosts else "this machine"
    most = f", {_sizes(plan)} at most" if plan.bounds else ""
    return f"{_sizes(plan.starting())} on {hosts}{most}"


def _sizes(plan: Plan) -> str:
    processes = {(spec.host, spec.process) for spec in plan.actors}
    actors = _several(len(plan.actors), "actor")
    return f"{actors} in {_several(len(processes), 'process', 'es')}"


def _several(size: int, noun: str, ending: str = "s") -> str:
    return f"{size} {noun}{ending if size > 1 else ''}"


def answer(path: Path, sets: Sequence[str]) -> dict[str, Any]:
    """Return the plan of a wiring and its notes, or its problems, linked in this very process."""
    try:
        plan = link(override(read(path), sets), path.parent, name=path.stem)
    except WiringError as error:
        return {"problems": error.problems}
    return {"problems": (), "plan": plan.to_wire(), "notes": plan.notes}


def main() -> None:
    """Link one file and leave the answer in another: what the child process does."""
    parser = argparse.ArgumentParser(prog="tether.runners.check")
    parser.add_argument("path", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    given.answer.write_text(json.dumps(answer(given.path, given.set)))
    sys.stdout.flush()
    sys.stderr.flush()
    # A module may have left threads behind that would keep this process from ending.
    os._exit(0)


if __name__ == "__main__":
    main()
