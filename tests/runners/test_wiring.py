"""Reading wiring files, and changing them from the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from tomllib import loads as parse_tables
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.linker import link
from tether.runners.spec import RunSpec
from tether.runners.tables import RESERVED
from tether.runners.wiring import WiringError, override, parse, read

WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
VALUES = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]))
    | st.lists(st.integers(-9, 9))
)


def test_a_file_is_read_as_tables(tmp_path: Path) -> None:
    path = tmp_path / "easgd.toml"
    path.write_text("[worker]\ntau = 10\n")

    assert read(path) == {"worker": {"tau": 10}}


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WiringError, match=r"none\.toml cannot be read: No such file or directory"):
        read(tmp_path / "none.toml")


def test_torn_toml_says_the_line(tmp_path: Path) -> None:
    path = tmp_path / "torn.toml"
    path.write_text("[worker]\ntau = = 3\n")

    with pytest.raises(WiringError, match=r"torn.toml cannot be read as TOML: .*at line 2"):
        read(path)


def test_an_empty_file_says_what_belongs_into_it(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("# nothing yet\n")

    with pytest.raises(WiringError, match=r"empty.toml is empty; a wiring has one table for each"):
        read(path)


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"[worker]\n\xff\xfe")

    with pytest.raises(WiringError, match=r"bytes\.toml is not text in UTF-8: byte 9"):
        read(path)


def test_an_override_replaces_adds_and_nests_and_leaves_the_tables_alone() -> None:
    tables: dict[str, Any] = {"worker": {"tau": 10, "learner": {"batch": 8}}}

    changed = override(
        tables, ["worker.tau=20", "worker.learner.batch = 16", "run.device=cpu", "worker.on=['a']"]
    )

    assert changed == {
        "worker": {"tau": 20, "learner": {"batch": 16}, "on": ["a"]},
        "run": {"device": "cpu"},
    }
    assert tables == {"worker": {"tau": 10, "learner": {"batch": 8}}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tau", "--set tau: this is not of the form table.key=value"),
        ("tau=3", "--set tau=3: this is not of the form table.key=value"),
        ("worker.=3", "--set worker.=3: this is not of the form table.key=value"),
        ("wroker.tau=3", r"there is no \[wroker\] in this file \(did you mean worker\?\)"),
        ("worker.tau.x=3", "worker.tau is not a table, so it holds no keys"),
    ],
)
def test_an_override_that_fits_nowhere_says_why(text: str, problem: str) -> None:
    with pytest.raises(WiringError, match=problem):
        override({"worker": {"tau": 10}}, [text])


def test_all_overrides_that_fit_nowhere_are_told_together() -> None:
    with pytest.raises(WiringError) as caught:
        override({"worker": {}}, ["tau", "wroker.tau=3", "worker.tau=4"])

    assert len(caught.value.problems) == 2


@given(WORDS, VALUES)
def test_any_value_written_as_toml_arrives_as_itself(key: str, value: Any) -> None:
    changed = override({"worker": {}}, [f"worker.{key}={json.dumps(value)}"])

    assert changed == {"worker": {key: value}}


@given(st.text())
def test_any_text_is_some_value(text: str) -> None:
    value = parse(text)

    assert value == text or not isinstance(value, str) or text.strip()[0] in "\"'"


def test_a_text_cannot_bring_in_keys_of_its_own() -> None:
    assert parse("1\nthreads = 64") == "1\nthreads = 64"


PAGE = (Path(__file__).parents[2] / "docs" / "wiring.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(toml fragment|toml|python)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
WHOLE = [text for kind, text in BLOCKS if kind == "toml"]


PYTHON = [text for kind, text in BLOCKS if kind == "python"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(PYTHON[0])
    return tmp_path


@pytest.mark.parametrize("text", WHOLE, ids=lambda text: text.splitlines()[0])
def test_a_wiring_of_the_page_links(text: str, folder: Path) -> None:
    plan = link(parse_tables(text), folder, name="page")

    assert len(plan.actors) > 1


def test_the_program_of_the_page_runs(folder: Path) -> None:
    (folder / "program.py").write_text(PYTHON[1] + "print(len(plan.actors))\n")

    said = subprocess.check_output([sys.executable, "program.py"], cwd=folder, text=True)

    assert said == "8\n"


def test_the_fragments_of_the_page_are_toml() -> None:
    fragments = [parse_tables(text) for kind, text in BLOCKS if kind == "toml fragment"]

    assert all(fragments)
    assert len(WHOLE) + len(fragments) > 5


@pytest.mark.parametrize("key", [*RESERVED, *(field.name for field in fields(RunSpec))])
def test_every_key_is_on_the_page(key: str) -> None:
    assert f"| `{key}` |" in PAGE
