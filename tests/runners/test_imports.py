"""Finding what a wiring names."""

from __future__ import annotations

import functools
import math
import sys
from pathlib import Path

import pytest

from tether.runners.imports import Imports, first_on_path
from tether.runners.problems import Problems, Where, WiringError

WHERE = Where("worker", ("actor",))


def load(named: object, folder: Path, *, importable: bool = True) -> object:
    problems = Problems()
    with first_on_path(folder):
        found = Imports(problems, importable=importable).load(named, WHERE)
    problems.check()
    return found


def test_the_folder_s_module_is_found_and_named() -> None:
    assert load("math:tau", Path()) == ("math:tau", math.tau)


def test_modules_of_the_same_name_in_two_folders_are_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "samename.py").write_text(f"NAME = {name!r}\n")

    first = load("samename:NAME", tmp_path / "one")
    second = load("samename:NAME", tmp_path / "two")

    assert (first, second) == (("samename:NAME", "one"), ("samename:NAME", "two"))


def test_a_standard_module_does_not_make_way_for_a_namesake(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("")
    before = sys.modules["json"]

    with first_on_path(tmp_path):
        found = sys.modules["json"]

    assert found is before


def test_the_path_is_restored_after_a_failure(tmp_path: Path) -> None:
    before = list(sys.path)

    with pytest.raises(ZeroDivisionError), first_on_path(tmp_path):
        _ = 1 / 0

    assert sys.path == before


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def f(:\n", r"importing torn1 raises SyntaxError: .* \(torn1.py, line 1\)"),
        ("import nowhere", r"raises ModuleNotFoundError: No module named 'nowhere' \(.*line 1\)"),
        ("raise SystemExit('bye')", r"ends the program with sys.exit\('bye'\) \(.*, line 1\)"),
        ("\n1 / 0", r"raises ZeroDivisionError: division by zero \(.*, line 2\)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_sentence(
    tmp_path: Path, source: str, sentence: str
) -> None:
    (tmp_path / "torn1.py").write_text(source)

    with pytest.raises(WiringError, match=sentence):
        load("torn1:f", tmp_path)


def test_a_module_that_fails_is_imported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torn2.py").write_text("print('ran')\n1 / 0\n")
    problems = Problems()
    imports = Imports(problems)

    with first_on_path(tmp_path):
        imports.load("torn2:f", WHERE)
        imports.load("torn2:g", WHERE)

    assert capsys.readouterr().out == "ran\n"
    assert len(problems) == 2


def test_attributes_may_be_nested() -> None:
    assert load("pathlib:Path.cwd", Path()) == ("pathlib:Path.cwd", Path.cwd)


def test_a_partial_has_no_path_that_others_could_import() -> None:
    half = functools.partial(int, base=2)

    with pytest.raises(WiringError, match=r"partial\(\) cannot be imported by other processes"):
        load(half, Path())
    loaded = load(half, Path(), importable=False)

    assert loaded == ("functools:partial()", half)


def test_two_local_functions_of_one_name_keep_two_paths() -> None:
    imports = Imports(Problems(), importable=False)

    one = imports.load(lambda: 1, WHERE)
    other = imports.load(lambda: 2, WHERE)

    assert one is not None
    assert other is not None
    assert one[0] != other[0]


def test_what_a_script_defines_itself_cannot_be_imported_by_others() -> None:
    def factory() -> None: ...

    factory.__module__, factory.__qualname__ = "__main__", "factory"

    with pytest.raises(WiringError, match="factory cannot be imported by other processes; move it"):
        load(factory, Path())
