"""What the pages show runs as it stands, and the wirings they show can be linked."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TEXTS = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    *(
        path
        for folder in ("docs/decisions", "docs/protocols")
        for path in (ROOT / folder).glob("*.md")
    ),
    *ROOT.glob("*/README.md"),
    *ROOT.glob("examples/*/README.md"),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"[\w.-]+\.py")
FOLDERS = ("actors", "protocols", "runners")
ROW = re.compile(r"^\| \[(\w+\.py)\]\(\1\) \| (.*) \|$", re.MULTILINE)
PAGE_OF_MODULES = ROOT / "docs" / "wiring.md"
"""Whose modules the wirings of a page mean that shows none itself."""

DRIVER = """
import runpy, sys, tomllib
from pathlib import Path
from tether.runners.linker import link

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
for name in sys.argv[2:]:
    print(name, flush=True)
    path = folder / name
    if path.suffix == ".py":
        runpy.run_path(str(path), run_name="__main__")
    else:
        link(tomllib.loads(path.read_text()), folder, name=path.stem)
"""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced piece of a page."""

    language: str
    text: str
    title: str
    line: int

    @property
    def file(self) -> str:
        suffix = {"python": "py", "toml": "toml"}[self.language]
        return self.title or f"line_{self.line}.{suffix}"


def blocks(page: str) -> list[Block]:
    """Return the Python and TOML of a page that is no fragment."""
    found = []
    for match in BLOCK.finditer(page):
        language, info, text = match.groups()
        if language in {"python", "toml"} and "fragment" not in info:
            line = page.count("\n", 0, match.start()) + 1
            found.append(Block(language, text, title_of(info, text), line))
    return found


def title_of(info: str, text: str) -> str:
    """Return the file a block is meant to be: its title, or what its first line says."""
    named = re.search(r'title="([^"]+)"', info)
    if named:
        return named.group(1)
    first = text.partition("\n")[0].removeprefix("# ")
    return first if TITLE.fullmatch(first) else ""


def run(shown: list[Block], modules: list[Block], folder: Path) -> subprocess.CompletedProcess[str]:
    for block in [*modules, *shown]:
        (folder / block.file).write_text(block.text, encoding="utf-8")
    files = [block.file for block in shown]
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", DRIVER, str(folder), *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_shows_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    shown = blocks((ROOT / name).read_text(encoding="utf-8"))
    modules = [
        block
        for block in blocks(PAGE_OF_MODULES.read_text(encoding="utf-8"))
        if block.title and not any(own.title for own in shown)
    ]

    done = run(shown, modules, tmp_path)

    last = done.stdout.splitlines()[-1:] if done.returncode else []
    assert (done.returncode, last, done.stderr[-3000:]) == (0, [], done.stderr[-3000:])


def test_what_a_page_links_to_is_there() -> None:
    missing = {
        f"{page.relative_to(ROOT)}: {link}"
        for page in TEXTS
        for link in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / link).exists()
    }

    assert missing == set()


def said_of_files(folder: str) -> list[tuple[str, str]]:
    """Return of each row about a file in its folder's README the name, and what is said of it."""
    page: list[tuple[str, str]] = ROW.findall((ROOT / folder / "README.md").read_text("utf-8"))
    return page


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_of_a_folder_names_each_file_of_code_once(folder: str) -> None:
    named = sorted(name for name, _ in said_of_files(folder))

    files = {path.name: path.read_text("utf-8") for path in (ROOT / folder).glob("*.py")}
    assert named == sorted(name for name, text in files.items() if text.count("\n") > 1)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_of_a_folder_says_what_the_files_say_of_themselves(folder: str) -> None:
    said = {name: line for name, line in said_of_files(folder) if " | " not in line}

    trees = {name: ast.parse((ROOT / folder / name).read_text("utf-8")) for name in said}
    assert said == {
        name: str(ast.get_docstring(tree)).partition("\n")[0] for name, tree in trees.items()
    }


GUIDE = ROOT / "docs" / "write-a-protocol.md"


@pytest.mark.parametrize("rule", ["ring.py", "median.py"])
def test_a_rule_of_ones_own_has_at_most_40_lines(rule: str) -> None:
    (block,) = (block for block in blocks(GUIDE.read_text("utf-8")) if block.title == rule)

    assert block.text.count("\n") <= 40


@pytest.mark.timeout(120)
def test_a_rule_of_ones_own_trains_in_virtual_time_from_a_folder_of_ones_own(
    tmp_path: Path,
) -> None:
    for block in blocks(GUIDE.read_text("utf-8")):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")

    words = ["simulate", "median.toml", "--set", "center.rounds=3", "--run", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "tether.runners", *words],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    assert [actor["steps"] for actor in summary["actors"]] == [3, 24, 24, 24, 24, 24]


def test_fragments_and_other_languages_are_left_out() -> None:
    page = "```sh\nls\n```\n```python fragment\n...\n```\n```toml\na = 1\n```\n"

    assert blocks(page) == [Block("toml", "a = 1\n", "", 7)]


@pytest.mark.parametrize(
    ("info", "text", "title"),
    [
        (' title="ring.py"', "x = 1\n", "ring.py"),
        ("", "# task.py\nx = 1\n", "task.py"),
        ("", "# what this is for\n", ""),
    ],
)
def test_a_block_may_be_a_file_beside_the_others(info: str, text: str, title: str) -> None:
    assert title_of(info, text) == title


def test_a_block_that_fails_is_found(tmp_path: Path) -> None:
    page = (
        '```python title="task.py"\nx = 1\n```\n```python\nimport task\nassert task.x == 2\n```\n'
    )

    done = run(blocks(page), [], tmp_path)

    assert done.returncode != 0
    assert "assert task.x == 2" in done.stderr
    assert done.stdout.splitlines() == ["task.py", "line_4.py"]


def test_a_wiring_that_cannot_be_linked_is_found(tmp_path: Path) -> None:
    done = run(blocks('```toml\n[center]\nactor = "nowhere:Center"\n```\n'), [], tmp_path)

    assert done.returncode != 0
    assert "nowhere" in done.stderr
