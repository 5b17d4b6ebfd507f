"""What one simulation leaves: a run's directory, of which all is the same for the same seed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

from tether.runners.folder import RunFolder
from tether.runners.metrics import MetricsFile
from tether.runners.simulate import Played, Setting
from tether.runners.summary import ActorRecord, summarise


def keep(played: Played, setting: Setting, folder: RunFolder) -> None:
    """Write the wiring, metrics, final states, the summary and what was found."""
    path = folder.path
    _keep_files(setting, path)
    plan = played.simulation.plan.to_wire()
    (path / "plan.json").write_text(json.dumps(plan, indent=1, default=str) + "\n")
    _keep_metrics(played, path)
    for name in played.simulation.final.names():
        folder.states.write(name, [played.simulation.final.read(name)])
    _summarise(played, path)
    played.findings.write(path)


def _keep_files(setting: Setting, path: Path) -> None:
    changed = "".join(f"# run with --set {text}\n" for text in setting.sets)
    (path / "wiring.toml").write_text(changed + setting.wiring.read_text())
    for name, file in (("network.toml", setting.network), ("faults.toml", setting.faults)):
        if file is not None:
            shutil.copyfile(file, path / name)


def _keep_metrics(played: Played, path: Path) -> None:
    tally = played.simulation.tally
    with MetricsFile(path / "metrics.jsonl") as metrics:
        for report in tally.reports:
            metrics.append(report.t, report.actor, report.step, report.metrics)


def _summarise(played: Played, path: Path) -> None:
    result, tally = played.result, played.simulation.tally
    summarise(
        result.outcome,
        [cast("ActorRecord", record) for record in result.records.values()],
        seconds=result.seconds,
        reason="; ".join(filter(None, [result.reason, *result.problems])),
        accuracy=next(
            (r.metrics["accuracy"] for r in reversed(tally.reports) if "accuracy" in r.metrics),
            None,
        ),
        restarts=tally.restarts,
        gave_up=tally.gave_up_on,
        membership=tally.membership,
        peaks=tally.peaks,
    ).write(path)
