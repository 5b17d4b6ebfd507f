"""What a process may see: its threads, and its own GPU only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tether.runners.environment import THREADS, VISIBLE, child_environment, visible_gpus
from tether.runners.linker import link
from tether.runners.spec import ActorSpec


class Idle:
    async def run(self) -> None: ...


def specs(**keys: object) -> tuple[ActorSpec, ...]:
    return link({"idle": {"actor": Idle, **keys}}, Path(), name="x", importable=False).actors


def test_a_process_computes_with_as_many_threads_as_its_table_says() -> None:
    env = child_environment(specs(threads=3), {"OMP_NUM_THREADS": "64"})

    assert {env[name] for name in THREADS} == {"3"}


def test_a_process_on_the_cpu_sees_no_gpu() -> None:
    env = child_environment(specs(), {VISIBLE: "0,1"})

    assert env[VISIBLE] == ""


@pytest.mark.parametrize(("index", "seen"), [(0, "3"), (1, "GPU-5f")])
def test_a_process_sees_its_own_gpu_as_the_agent_calls_it(index: int, seen: str) -> None:
    on_gpus = specs(on=["gpu0", "gpu1"])

    env = child_environment(on_gpus[index : index + 1], {VISIBLE: "3,GPU-5f"})

    assert env[VISIBLE] == seen


def test_what_else_is_in_the_environment_stays() -> None:
    env = child_environment(specs(), {"HOME": "/root", "LANG": "C"})

    assert (env["HOME"], env["LANG"]) == ("/root", "C")


@pytest.mark.parametrize(
    ("text", "gpus"),
    [("", []), ("0", ["0"]), (" 2, 3 ", ["2", "3"]), ("-1", []), ("1,-1,2", ["1"])],
)
def test_the_gpus_of_the_agent_are_those_it_was_left(text: str, gpus: list[str]) -> None:
    assert visible_gpus({VISIBLE: text}) == gpus


def test_without_a_word_on_gpus_all_of_the_machine_are_there() -> None:
    there = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))

    assert visible_gpus({}) == [str(k) for k in range(there)]
