"""What is published can be installed, and works without the checkout."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("actors", "protocols", "runners")
UNPUBLISHED = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "runs", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)


def run(*command: str | Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel, built from the sdist, and the sdist."""
    copy = tmp_path_factory.mktemp("published") / "tether"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=UNPUBLISHED)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", folder=copy)
    return copy / "dist"


@pytest.fixture(scope="module")
def wheel(published: Path) -> Path:
    (path,) = published.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that has the wheel, and of this one only the dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    run(*pip, "--no-index", "--no-deps", "--no-compile", wheel, folder=folder)
    # What lies in a path of a .pth file is found, except by that folder's own .pth files.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_wheel_holds_the_three_folders_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    source = wheel.parent.parent
    files = [*source.glob("*/*.py"), *source.glob("*/py.typed")]
    inside = (path.relative_to(source) for path in files)
    assert names == {f"tether/{path}" for path in inside if path.parts[0] in FOLDERS}


def test_the_wheel_carries_its_licence_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {f"tether/{folder}/py.typed" for folder in FOLDERS} <= set(names)


def test_the_sdist_can_be_tested_and_has_no_links(published: Path) -> None:
    (path,) = published.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = archive.getmembers()

    names = {member.name.partition("/")[2] for member in members}
    assert {"LICENSE", "README.md", "Makefile", "tests/conftest.py", "actors/README.md"} <= names
    assert [member.name for member in members if member.issym() or member.islnk()] == []


def test_the_index_would_accept_both(published: Path) -> None:
    files = sorted(published.iterdir())

    said = run(sys.executable, "-m", "twine", "check", "--strict", *files, folder=published)

    assert said.count("PASSED") == 2


def test_the_wheel_works_without_the_checkout(installed: Path) -> None:
    code = "import tether.actors, tether.protocols, tether.runners; print(tether.actors.__file__)"

    said = run(installed / "python", "-c", code, folder=installed)

    assert Path(said.strip()).is_relative_to(installed.parent)


def test_the_command_of_the_wheel_says_what_it_can_do(installed: Path) -> None:
    said = run(installed / "tether", "--help", folder=installed)

    assert all(command in said for command in ("check", "show", "up", "plot", "stop"))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own folder: the protocol, task and wiring of docs/write-a-protocol.md."""
    folder = tmp_path_factory.mktemp("mine")
    text = (ROOT / "docs" / "write-a-protocol.md").read_text(encoding="utf-8")
    for title, source in re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', text, re.DOTALL):
        (folder / title).write_text(source, encoding="utf-8")
    return folder


@pytest.mark.timeout(120)
def test_a_protocol_of_ones_own_trains_with_the_installed_wheel(
    installed: Path, mine: Path
) -> None:
    words = ["up", "ring.toml", "--set", "peer.steps=60", "--run", "run"]

    run(installed / "tether", *words, folder=mine)

    summary = json.loads((mine / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["outcome"] == "finished"
    assert {actor["steps"] for actor in summary["actors"]} == {60}
    assert (mine / "run" / "plot.png").stat().st_size > 0


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with as little of torch as a checker of types has to know here, and its settings.

    It would read all of torch for half a minute; `make check` does, for the same annotations.
    """
    folder = tmp_path_factory.mktemp("stubs")
    anything = "from typing import Any\ndef __getattr__(name: str) -> Any: ...\n"
    tensor = (
        "class Tensor:\n"
        "    def add_(self, other: Tensor) -> Tensor: ...\n"
        "    def sub_(self, other: Tensor) -> Tensor: ...\n"
        "    def __sub__(self, other: Tensor) -> Tensor: ...\n"
        "    def __truediv__(self, other: float) -> Tensor: ...\n"
    )
    config = (
        "[mypy-torch.*,numpy.*]\nfollow_imports = skip\n[mypy-torch]\nfollow_imports = normal\n"
    )
    (folder / "torch.pyi").write_text(anything + tensor, encoding="utf-8")
    (folder / "mypy.ini").write_text(f"[mypy]\n{config}", encoding="utf-8")
    return folder


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("", "", "Success"),
        ("right.meet(", "right.meat(", '"Peer" has no attribute "meat"'),
        ("right.meet(self.learner.x)", "right.meet(3)", 'incompatible type "int"'),
        ("right.meet(self.learner.x)", "right.meet()", "Missing positional argument"),
    ],
)
def test_a_wrong_call_in_it_is_a_type_error(
    installed: Path, mine: Path, stubs: Path, tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    source = (mine / "ring.py").read_text(encoding="utf-8").replace(right, wrong)
    (tmp_path / "ring.py").write_text(source, encoding="utf-8")

    settings: list[str | Path] = [
        "--strict",
        "--config-file",
        stubs / "mypy.ini",
        "--cache-dir",
        mine / "cache",
    ]
    checked = subprocess.run(
        [installed / "python", "-m", "mypy", *settings, "ring.py"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
        env={**os.environ, "MYPYPATH": str(stubs)},
    )  # fmt: skip

    assert said in checked.stdout


def test_what_may_be_compiled_is_there_no_struct_and_no_base_of_what_is_not() -> None:
    names: set[str] = set()
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILED":
            names = set(ast.literal_eval(node.value))
    trees = {path.stem: ast.parse(path.read_text()) for path in (ROOT / "actors").glob("*.py")}
    classes = {
        stem: [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for stem, tree in trees.items()
    }
    python = [cls for stem in classes.keys() - names for cls in classes[stem]]
    bases = {ast.unparse(base) for cls in python for base in cls.bases}

    assert names
    assert sorted(names - trees.keys()) == []
    inherited = {cls.name for name in names for cls in classes[name]} & bases
    assert inherited == set()
    structs = [cls.name for name in names for cls in classes[name] if "Struct" in ast.unparse(cls)]
    assert structs == []


def test_nothing_is_compiled_unless_it_is_asked_for(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        assert [name for name in packed.namelist() if name.endswith((".so", ".pyd"))] == []


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_what_is_asked_for_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TETHER_COMPILE", "1")
    copy = tmp_path / "tether"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=UNPUBLISHED)
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", folder=copy)

    (made,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(made) as packed:
        names = packed.namelist()
    assert any(name.startswith("tether/actors/outbound.") and ".so" in name for name in names)
    assert "tether/actors/outbound.py" in names
