"""Checking a wiring in a child process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tether.runners.check import checked, planned
from tether.runners.problems import WiringError

TASK = "class Actor:\n    async def run(self) -> None:\n        ...\n"
WIRING = '[actor]\nactor = "checked:Actor"\n'


def wiring(folder: Path, source: str, text: str = WIRING) -> Path:
    (folder / "checked.py").write_text(source)
    path = folder / "wiring.toml"
    path.write_text(text)
    return path


def test_a_sound_wiring_is_summed_up(tmp_path: Path) -> None:
    path = wiring(tmp_path, TASK)

    code, text = checked(path, ["actor.count=3"])

    assert (code, text) == (
        0,
        "wiring.toml: ok, 3 actors in 3 processes on this machine",
    )


def test_a_live_wiring_is_summed_up_with_what_it_may_come_to(tmp_path: Path) -> None:
    path = wiring(tmp_path, TASK, WIRING + "count = { start = 1, min = 1, max = 3 }\n")

    code, text = checked(path)

    assert (code, text) == (
        0,
        "wiring.toml: ok, 1 actor in 1 process on this machine, 3 actors in 3 processes at most",
    )


def test_codecs_are_told(tmp_path: Path) -> None:
    source = (
        TASK + "class Other:\n    def __init__(self, to: Actor) -> None:\n        self.to = to\n"
    )
    source = "from tether.actors import Ref\n" + source.replace("to: Actor", "to: Ref[Actor]")
    other = '[other]\nactor = "checked:Other"\nto = "@actor"\n'
    edges = '[edges]\n"other -> actor" = { codec = "topk", share = 0.01 }\n'
    path = wiring(
        tmp_path, source + "    async def run(self) -> None: ...\n", WIRING + other + edges
    )

    code, text = checked(path)

    assert code == 0
    assert text.splitlines()[-1] == "[edges] other -> actor: topk, share 0.01"


def test_nothing_is_imported_into_the_command_s_own_process(tmp_path: Path) -> None:
    path = wiring(tmp_path, TASK)

    checked(path)

    assert "checked" not in sys.modules


def test_every_fault_is_told_with_exit_code_2(tmp_path: Path) -> None:
    path = wiring(tmp_path, TASK, WIRING + "tau = 3\nthreads = 0\n")

    code, text = checked(path)

    assert code == 2
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0\n", "raises ZeroDivisionError: division by zero (checked.py, line 1)"),
        ("import sys\nsys.exit(3)\n", "ends the program with sys.exit(3) (checked.py, line 2)"),
        ("import os\nos._exit(7)\n", "importing its modules ended the check (exit code 7)"),
        (
            "import os\nprint('bye', flush=True)\nos._exit(7)\n",
            "importing its modules ended the check after 'bye' (exit code 7)",
        ),
    ],
)
def test_a_module_that_fails_is_one_sentence(tmp_path: Path, source: str, said: str) -> None:
    path = wiring(tmp_path, source + TASK)

    code, text = checked(path)

    assert code == 2
    assert said in text
    assert len(text.splitlines()) == 1


def test_what_modules_print_is_told_and_not_shown(tmp_path: Path) -> None:
    path = wiring(tmp_path, "print('loading')\nprint('done')\n" + TASK)

    code, text = checked(path)

    assert code == 0
    assert text.endswith("prints 2 lines in every process: 'loading'")


def test_a_module_that_never_ends_importing_is_given_up(tmp_path: Path) -> None:
    path = wiring(tmp_path, "import threading\nthreading.Event().wait()\n" + TASK)

    code, text = checked(path, patience=1.0)

    assert (code, text) == (2, f"{path}: importing its modules takes longer than 1 s")


def test_threads_of_a_module_do_not_hold_the_check(tmp_path: Path) -> None:
    source = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"

    code, _ = checked(wiring(tmp_path, source + TASK))

    assert code == 0


def test_bounds_and_what_could_not_be_checked_are_told(tmp_path: Path) -> None:
    source = (
        "from __future__ import annotations\n"
        "class Actor:\n    def __init__(self, peers, x: Nowhere) -> None: ...\n"
        "    async def run(self) -> None: ...\n"
    )
    path = wiring(tmp_path, source, WIRING + 'count = 3\npeers = "@actor[others]"\nx = 1\n')

    code, text = checked(path)

    assert code == 0
    assert text.splitlines()[1:] == [
        "[actor] 2 peers × 64 MiB = 128 MiB at most under way to each",
        "note: [actor] x: its type is not checked: Nowhere is not defined at run time",
    ]


def test_bounds_beyond_memory_are_a_fault(tmp_path: Path) -> None:
    source = (
        "class Actor:\n    def __init__(self, peers: object) -> None: ...\n"
        "    async def run(self) -> None: ...\n"
    )
    text = WIRING + f'count = 3\npeers = "@actor[others]"\n[run]\nbytes = {2**60}\n'

    code, said = checked(wiring(tmp_path, source, text))

    assert code == 2
    assert "6 pairs of peers may have" in said


def test_a_plan_made_by_the_child_is_the_file_s(tmp_path: Path) -> None:
    path = wiring(tmp_path, TASK)

    plan = planned(path, ["run.seed=7"])

    assert plan.run.name == "wiring"
    assert plan.run.seed == 7
    assert plan.folder == tmp_path.resolve()
    assert plan.digests.keys() >= {"the wiring", "module checked (checked.py)"}


def test_a_module_that_ends_the_child_raises(tmp_path: Path) -> None:
    path = wiring(tmp_path, "import os\nos._exit(7)\n" + TASK)

    with pytest.raises(WiringError, match=r"importing its modules ended the check \(exit code 7\)"):
        planned(path)
