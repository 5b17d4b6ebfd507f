"""How long files and functions are, what is never called, and that tests follow the modules."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("actors", "protocols", "runners")
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

LIBRARY = {
    f"protocols/{name}.py"
    for name in (
        "__init__", "admm_invariants", "adpsgd_invariants", "aggregator", "aggregator_invariants",
        "arrivals", "beginning", "beside", "choice", "downpour_invariants",
        "easgd_gauss_seidel_invariants", "easgd_invariants", "easgd_synchronous_invariants",
        "easgd_tree_invariants", "elastic", "evaluator", "fragments", "functional",
        "gosgd_invariants", "invariant", "learner", "local_sgd_invariants",
        "local_sign_sgd_invariants", "mdownpour_invariants", "mean", "mixing", "observer", "outer",
        "overlap", "patience", "polyak", "quadratic", "randomness", "rate", "resting", "rounds",
        "schedule", "share", "sign", "stream", "sumweight", "tie", "vector",
    )
}  # fmt: skip
"""Protocol files that are no paper's algorithm, and may be as long as any file."""
UNMIRRORED = {"__init__", "__main__"}
"""Modules whose tests are those of what they bring together."""
FORBIDDEN_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "torch.save", "np.load", "np.save"}
SAMPLE = 14
"""Characters a test must have in common with the text of an error to count as its test."""


@cache
def parse(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def length(name: str) -> int:
    return len((ROOT / name).read_text(encoding="utf-8").splitlines())


def functions(tree: ast.Module) -> dict[str, int]:
    """Return how many lines every function has, by name and place."""
    return {
        f"{node.name}, line {node.lineno}": (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_a_file_has_at_most_350_lines() -> None:
    assert {name: length(name) for name in NAMES if length(name) > 350} == {}


def test_a_function_has_at_most_40_lines() -> None:
    too_long = {
        f"{name}: {where}": lines
        for name in NAMES
        for where, lines in functions(parse(name)).items()
        if lines > 40
    }

    assert too_long == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_half_of_the_files_of_a_folder_have_at_most_110_lines(folder: str) -> None:
    lengths = [length(name) for name in NAMES if name.startswith(folder)]

    assert median(lengths) <= 110


def test_half_of_all_functions_have_at_most_8_lines() -> None:
    lengths = [lines for name in NAMES for lines in functions(parse(name)).values()]

    assert median(lengths) <= 8


def test_a_papers_algorithm_fits_60_lines() -> None:
    papers = [name for name in NAMES if name.startswith("protocols/") and name not in LIBRARY]

    assert {name: length(name) for name in papers if length(name) > 60} == {}


def forbidden(tree: ast.Module) -> list[str]:
    """Return what a file uses of that which runs whatever bytes or text it is given."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module or ""]
        elif isinstance(node, ast.Call):
            found += [ast.unparse(node.func)]
            found += [k.arg for k in node.keywords if k.arg == "allow_pickle"]
    wrong = FORBIDDEN_MODULES | FORBIDDEN_CALLS | {"allow_pickle"}
    return [name for name in found if name in wrong or name.partition(".")[0] in FORBIDDEN_MODULES]


def test_no_file_can_run_what_it_reads() -> None:
    assert {name: found for name in NAMES if (found := forbidden(parse(name)))} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "pickle"),
        ("def f():\n    from pickle import loads", "pickle"),
        ("import shelve.x", "shelve.x"),
        ("x = torch.load(path)", "torch.load"),
        ("eval('1')", "eval"),
        ("numpy.fromfile(path, allow_pickle=True)", "allow_pickle"),
    ],
)
def test_what_runs_what_it_reads_is_found(source: str, found: str) -> None:
    assert forbidden(ast.parse(source)) == [found]


def test_the_packages_of_the_wheel_are_the_folders_on_disk() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = project["tool"]["setuptools"]
    folders = {str(path.parent.relative_to(ROOT)) for path in FILES}

    assert set(setuptools["packages"]) == {f"tether.{name.replace('/', '.')}" for name in folders}
    assert set(setuptools["package-dir"].values()) == folders


def test_a_module_has_a_test_file_of_its_name() -> None:
    modules = [path.relative_to(ROOT) for path in FILES if path.stem not in UNMIRRORED]
    wanted = [ROOT / "tests" / path.parent / f"test_{path.name}" for path in modules]

    assert [str(path) for path in wanted if not path.is_file()] == []


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the literal strings below a node, those with holes in pieces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def raised(tree: ast.Module) -> dict[int, list[str]]:
    """Return the literal pieces of the text of every error raised, by line."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            pieces = [text for text in texts(node.exc.args[0]) if len(text) >= SAMPLE]
            if pieces:
                found[node.lineno] = pieces
    return found


def samples(text: str) -> set[str]:
    return {text[k : k + SAMPLE] for k in range(len(text) - SAMPLE + 1)}


def untested(tree: ast.Module, tests: set[str]) -> dict[int, str]:
    """Return the errors raised that have no text in common with any string of the tests."""
    return {
        line: max(pieces, key=len)
        for line, pieces in raised(tree).items()
        if not any(samples(piece) & tests for piece in pieces)
    }


def found_in_tests(wanted: set[str]) -> set[str]:
    """Return those of some samples that stand in a string of the tests."""
    found: set[str] = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name != Path(__file__).name:
            for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
                found |= samples(re.sub(r"\\(.)", r"\1", text)) & wanted
    return found


def test_every_error_is_raised_by_a_test_that_knows_its_text() -> None:
    trees = {name: parse(name) for name in NAMES}
    pieces = [
        piece for tree in trees.values() for found in raised(tree).values() for piece in found
    ]

    tests = found_in_tests(set().union(*map(samples, pieces)))

    assert {name: found for name in NAMES if (found := untested(trees[name], tests))} == {}


def test_an_error_nobody_tests_is_found() -> None:
    tree = ast.parse(
        "raise ValueError(f'{x} steps, but 1 or more are wanted')\n"
        "raise ValueError('tau is 0, which never exchanges')\n"
        "raise KeyError(name)\n"
    )

    found = untested(tree, samples("3 steps, but 1 or more"))

    assert found == {2: "tau is 0, which never exchanges"}


def test_functions_are_measured_from_their_first_line_to_their_last() -> None:
    tree = ast.parse("def f():\n    def g():\n        pass\n    return g\n")

    assert functions(tree) == {"f, line 1": 4, "g, line 2": 2}
