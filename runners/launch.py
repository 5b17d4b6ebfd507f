"""Start a checked plan from the command line, show it, and sum it up."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tether.actors.checkpoint import Checkpoints
from tether.runners.allowance import memory
from tether.runners.edges import overcommitted
from tether.runners.environment import visible_gpus
from tether.runners.folder import RunFolder
from tether.runners.hosts import exposed
from tether.runners.keys import KEYS, wanted_keys
from tether.runners.metrics import MetricsFile
from tether.runners.placement import missing_gpus
from tether.runners.problems import WiringError
from tether.runners.progress import Progress
from tether.runners.result import Start
from tether.runners.resume import adopt, common_round, drop_newer
from tether.runners.spec import Plan
from tether.runners.ssh import Ssh
from tether.runners.up import EXIT, Up, told


def launch(
    wiring: Path,
    plan: Plan,
    sets: Sequence[str],
    duration: float | None,
    directory: Path | None,
    resumed: Path | None = None,
    *,
    keys: Path | None = None,
    ssh: bool = False,
) -> int:
    """Run a plan to its end, at home; return the exit code.

    It is 0, 1 if somebody failed, or 130 when it was interrupted.
    """
    import uvloop
    from rich.console import Console

    refuse_what_is_not_here(plan, plan.home)
    keys = keys or wiring.parent / KEYS
    keyring = wanted_keys(plan, plan.home, keys)
    folder, start, notes = opened(plan, directory, resumed)
    keep_wiring(folder.path, wiring, sets, plan)
    console = Console()
    console.print(f"{plan.run.name}: run directory {folder.path}", highlight=False, soft_wrap=True)
    for note in [*exposed(plan), *notes]:
        print(note, file=sys.stderr)
    with Progress(plan.run.name) as progress:
        others = Ssh(plan, wiring, options(sets, directory, resumed, keys), told) if ssh else None
        result = uvloop.run(Up(plan, folder, progress, duration, start, others, keyring).run())
    if result.outcome != "interrupted":
        finish(folder.path, console)
    for text in filter(None, [result.reason, *result.problems]):
        print(text, file=sys.stderr)
    return EXIT[result.outcome]


def options(
    sets: Sequence[str], directory: Path | None, resumed: Path | None, keys: Path
) -> list[str]:
    """Return the options with which the agents of the other hosts are started too."""
    found = ["--keys", str(keys), *(option for text in sets for option in ("--set", text))]
    if directory or resumed:
        found += ["--run", str(directory or resumed)]
    return found


def opened(
    plan: Plan, directory: Path | None, resumed: Path | None
) -> tuple[RunFolder, Start, Sequence[str]]:
    """Return a run's folder, where it goes on from, and what the user is to know of that.

    A resumed run goes on in its own folder, unless another one is named.
    """
    if resumed is None:
        return RunFolder.create(plan.run.name, directory), Start(), ()
    source = RunFolder.reopen(resumed)
    folder = source if directory is None else copied(source, plan.run.name, directory)
    checkpoints = Checkpoints(folder.checkpoints)
    try:
        notes = adopt(checkpoints, source.states)
        found = common_round(checkpoints, {spec.name: spec.actor for spec in plan.starting()})
    except BaseException:
        if folder is not source:
            shutil.rmtree(folder.path)
        raise
    drop_newer(checkpoints, found)
    start = Start(
        incarnations=source.incarnations(),
        restore={actor: [about.round] for actor, about in found.abouts.items()},
        alone=found.alone,
        round=found.last,
        seconds=seconds_of(folder),
    )
    said = f"resumed from {resumed}, round {max(about.round for about in found.abouts.values())}"
    return folder, start, (*notes, *found.notes, said)


def copied(source: RunFolder, name: str, directory: Path) -> RunFolder:
    """Return a new folder with a run's checkpoints."""
    folder = RunFolder.create(name, directory)
    for file in source.checkpoints.names():
        folder.checkpoints.write(file, [source.checkpoints.read(file)])
    return folder


def seconds_of(folder: RunFolder) -> float:
    """Return when, in seconds from its start, a run last reported something."""
    with MetricsFile(folder.path / "metrics.jsonl") as metrics:
        return metrics.last_t


def refuse_what_is_not_here(plan: Plan, host: str) -> None:
    """Raise WiringError when a plan wants GPUs or memory of this machine, a host, that it lacks."""
    problems = missing_gpus(plan, len(visible_gpus()), host)
    if problems := problems + overcommitted(plan, memory(), host):
        raise WiringError(problems)


def refuse_hosts(plan: Plan) -> None:
    """Raise WiringError when a plan is for several hosts, where only one can be had."""
    if len(plan.hosts) > 1:
        names = ", ".join(plan.hosts)
        raise WiringError(
            [f"[hosts]: {names} are several, but a World runs on one; tether up runs on all"]
        )


def keep_wiring(run: Path, wiring: Path, sets: Sequence[str], plan: Plan) -> None:
    """Keep the wiring as it was run: the text, what --set changed, and what came of both."""
    changed = "".join(f"# run with --set {text}\n" for text in sets)
    (run / "wiring.toml").write_text(changed + wiring.read_text())
    (run / "plan.json").write_text(json.dumps(plan.to_wire(), indent=1, default=str) + "\n")


def finish(run: Path, console: object) -> None:
    """Print the summary, and draw the curves if matplotlib is here."""
    from rich.console import Console

    from tether.runners.plot import plot
    from tether.runners.summary import read_summary, render

    assert isinstance(console, Console)
    try:
        console.print(render(read_summary(run)))
        plot(run)
    except (ImportError, OSError, ValueError) as error:
        print(f"no plot: {error}", file=sys.stderr)
