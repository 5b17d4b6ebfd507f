"""Digests: what must be equal on every host."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import replace
from pathlib import Path

from tether.runners.digest import digests, drift, modules
from tether.runners.imports import first_on_path
from tether.runners.linker import link
from tether.runners.spec import CodecSpec, Plan

TASK = "class Actor:\n    def __init__(self, tau: int) -> None:\n        self.tau = tau\n"
RUN = "    async def run(self) -> None:\n        ...\n"


def planned(folder: Path, source: str, tau: int) -> Plan:
    folder.mkdir()
    (folder / "digested.py").write_text(source)
    tables = tomllib.loads(f'[worker]\nactor = "digested:Actor"\ntau = {tau}\n')
    return link(tables, folder, name="wiring")


def test_equal_copies_in_two_folders_have_equal_digests(tmp_path: Path) -> None:
    one = planned(tmp_path / "one", TASK + RUN, 10)
    other = planned(tmp_path / "two", TASK + RUN, 10)

    assert one.digests == other.digests
    assert drift(one.digests, other.digests) == []


def test_a_drifted_module_is_named(tmp_path: Path) -> None:
    one = planned(tmp_path / "one", TASK + RUN, 10)
    other = planned(tmp_path / "two", TASK + RUN + "\n\nTAU = 3\n", 10)

    (sentence,) = drift(one.digests, other.digests)

    assert sentence.startswith("module digested (digested.py) is ")
    assert sentence.endswith(" there")


def test_another_argument_is_another_wiring(tmp_path: Path) -> None:
    one = planned(tmp_path / "one", TASK + RUN, 10)
    other = planned(tmp_path / "two", TASK + RUN, 20)

    (sentence,) = drift(one.digests, other.digests)

    assert sentence.startswith("the wiring is ")


def test_another_codec_is_another_wiring(tmp_path: Path) -> None:
    plan = planned(tmp_path / "one", TASK + RUN, 10)

    (sentence,) = drift(digests(plan), digests(replace(plan, codecs=(CodecSpec("a", "b", "c"),))))

    assert sentence.startswith("the wiring is ")


def test_what_one_side_lacks_is_told() -> None:
    assert drift({"the version of torch": "2.4.0"}, {}) == [
        "the version of torch is 2.4.0 here, but absent there"
    ]


def test_versions_are_among_the_digests(tmp_path: Path) -> None:
    plan = planned(tmp_path / "one", TASK + RUN, 10)

    found = digests(plan)

    assert {"the version of tether", "the version of torch"} <= found.keys()


def test_a_plan_from_the_wire_has_the_same_digests_without_importing(tmp_path: Path) -> None:
    plan = planned(tmp_path / "one", TASK + RUN, 10)
    sent = Plan.from_wire(plan.to_wire())
    del sys.modules["digested"]

    with first_on_path(sent.folder):
        found = digests(sent)

    assert found == plan.digests
    assert "digested" not in sys.modules


def test_every_module_that_is_named_counts() -> None:
    tables = {
        "worker": {
            "actor": "pieces:Worker",
            "center": "@center",
            "learner": {"make": "pieces:learner", "shard": 1},
        },
        "center": {"actor": "pieces:Center", "x": {"make": "fractions:Fraction"}},
    }

    plan = link(tables, Path(__file__).parent / "broken", name="wiring")

    assert set(modules(plan)) == {"pieces", "fractions"}
    assert "module pieces (pieces.py)" in plan.digests
    assert not any("fractions" in title for title in plan.digests)


def test_the_file_of_a_module_is_named_from_the_folder_of_modules_on(tmp_path: Path) -> None:
    for name in ("packed/__init__.py", "packed/nets.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TASK + RUN)
    tables = {
        "one": {"actor": "packed:Actor", "tau": 1},
        "other": {"actor": "packed.nets:Actor", "tau": 1},
    }

    plan = link(tables, tmp_path, name="wiring")

    assert {title for title in plan.digests if title.startswith("module")} == {
        "module packed (packed/__init__.py)",
        "module packed.nets (packed/nets.py)",
    }
