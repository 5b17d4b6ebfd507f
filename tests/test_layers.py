"""Which folder may import what, and which files may touch the real world."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from tether import actors

ROOT = Path(__file__).parent.parent
PUBLIC = frozenset(actors.__all__)

TENSOR_FILES = {
    f"actors/{name}.py"
    for name in (
        "buffers", "compression", "cuda", "memory", "payload", "press", "snapshot", "tensors",
        "turn",
    )
}  # fmt: skip
"""Where actors meet torch and numpy, and there inside functions only."""
WIRE = {"msgpack", "msgspec", "uvloop", "zmq"}
ONLY_IN = {"cryptography": "actors/sealing.py", "cuda": "actors/cuda_memory.py"}
"""The one file in which actors meet each of these, inside functions."""
HARMLESS = {
    "__future__", "abc", "collections", "contextlib", "copy", "dataclasses", "enum", "functools",
    "hashlib", "itertools", "math", "operator", "pathlib", "types", "typing",
}  # fmt: skip
ASYNCIO = {"Event", "TaskGroup", "create_task"}
LIBRARY = {
    f"protocols/{name}.py"
    for name in (
        "aggregator", "arrivals", "beginning", "beside", "choice", "elastic", "evaluator",
        "fragments", "functional", "keeping", "learner", "mean", "mixing", "momentum", "observer",
        "outer", "overlap", "patience", "polyak", "quadratic", "randomness", "rate", "resting",
        "rounds", "schedule", "share", "sign", "stream", "sumweight", "tie", "vector",
    )
}  # fmt: skip
"""Protocol files that are no paper: what learning is made of."""
LIBRARY_IMPORTS = {
    f"tether.actors.{name}"
    for name in ("buffers", "chance", "compute", "context", "debug", "restoring")
}
WORLD_MODULES = {
    "concurrent", "multiprocessing", "random", "secrets", "subprocess", "threading", "time", "uuid",
    "uvloop",
}  # fmt: skip
WORLD_NAMES = {"run_in_executor", "to_thread"}
DOORS = {
    "actors/clock.py": {"concurrent", "random", "secrets", "time"},
    "actors/compute.py": {"run_in_executor"},
    "actors/departures.py": {"run_in_executor"},  # waits for a GPU, which no simulated world has
    "actors/returns.py": {"threading"},  # a lock: objects end in any thread
    "actors/spin.py": {"time"},  # of real sockets only: a simulated network never waits
    "actors/zeromq.py": {"threading", "uvloop"},
    "protocols/randomness.py": {"threading"},
}
"""The files through which a simulated world replaces the real one."""
WANTED = {
    "actors": "actors may import only the standard library, pyzmq, msgpack, msgspec and uvloop",
    "protocols": "protocols may import only tether.actors' public names and torch",
    "runners": "runners meet protocols only by the names in a wiring file",
}


@dataclass(frozen=True)
class Import:
    """One imported module, or one name of it."""

    module: str
    name: str = ""
    lazy: bool = False
    typing: bool = False

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


def imports(node: ast.AST, package: str, *, lazy: bool = False) -> Iterator[Import]:
    """Yield all imports below a node; those for type checkers only are marked."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, "", lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from imported_from(child, package, lazy)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for found in imports(ast.Module(child.body, []), package, lazy=lazy):
                yield Import(found.module, found.name, lazy, typing=True)
            yield from imports(ast.Module(child.orelse, []), package, lazy=lazy)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, package, lazy=lazy or inside)


def imported_from(node: ast.ImportFrom, package: str, lazy: bool) -> Iterator[Import]:
    above = package.split(".")[: 3 - node.level] if node.level else []
    module = ".".join([*above, *([node.module] if node.module else [])])
    for alias in node.names:
        if module == "tether":
            yield Import(f"tether.{alias.name}", "", lazy)
        else:
            yield Import(module, alias.name, lazy)


def offences(file: str, source: str) -> list[str]:
    """Return a sentence for each thing in a file that its folder or the file may not have."""
    tree = ast.parse(source)
    folder = file.partition("/")[0]
    found = list(imports(tree, f"tether.{folder}"))
    allowed = {"actors": in_actors, "protocols": in_protocols, "runners": in_runners}[folder]
    wrong = [f"{file} imports {i}; {WANTED[folder]}" for i in found if not allowed(file, i)]
    wrong += [
        f"{file} imports {i} when it is imported itself; torch and numpy are imported inside "
        f"functions" + (f", in {', '.join(sorted(TENSOR_FILES))}" if folder == "actors" else "")
        for i in found
        if not heavy_is_lazy(file, i)
    ]
    if folder == "protocols" and file not in LIBRARY:
        wrong += [
            f"{file} uses asyncio.{name}; {WANTED[folder]}, and of asyncio "
            f"{', '.join(sorted(ASYNCIO))}"
            for name in sorted(attributes_of("asyncio", tree) - ASYNCIO - WORLD_NAMES)
        ]
    return wrong + [
        f"{file} uses {name}; time, chance and threads come through {', '.join(DOORS)}"
        for name in sorted(world(tree, found) - DOORS.get(file, set()))
        if folder != "runners"
    ]


def in_actors(file: str, found: Import) -> bool:
    ours = found.module.startswith("tether.actors")
    if found.top in ONLY_IN:
        return file == ONLY_IN[found.top]
    return ours or found.top in sys.stdlib_module_names | WIRE | {"torch", "numpy"}


def in_protocols(file: str, found: Import) -> bool:
    if file in LIBRARY and {found.module, str(found)} & LIBRARY_IMPORTS:
        return True
    if found.module == "tether.actors":
        return found.name in PUBLIC
    if found.module == "asyncio":
        return file in LIBRARY or found.name in ASYNCIO | {""}
    ours = found.module.startswith("tether.protocols")
    return ours or found.top in HARMLESS | WORLD_MODULES | {"torch"}


def in_runners(file: str, found: Import) -> bool:
    return not found.module.startswith("tether.protocols")


def heavy_is_lazy(file: str, found: Import) -> bool:
    if found.top not in ("torch", "numpy") or file.startswith("protocols/") or found.typing:
        return True
    return found.lazy and (file in TENSOR_FILES or not file.startswith("actors/"))


def world(tree: ast.Module, found: list[Import]) -> set[str]:
    """Return what a file takes from the real world: modules and functions that run threads."""
    modules = {i.top for i in found if not i.typing} & WORLD_MODULES
    names = {i.name for i in found} & WORLD_NAMES
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in WORLD_NAMES:
            names.add(node.attr)
    return modules | names


def attributes_of(module: str, tree: ast.Module) -> set[str]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if ast.unparse(node.value) == module}


FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("actors", "protocols", "runners")
    for path in (ROOT / folder).rglob("*.py")
)


def test_a_file_imports_only_what_its_folder_may() -> None:
    found = [offences(file, (ROOT / file).read_text(encoding="utf-8")) for file in FILES]

    assert list(chain(*found)) == []


def test_a_file_with_a_licence_to_more_exists() -> None:
    assert sorted((TENSOR_FILES | set(ONLY_IN.values()) | set(DOORS) | LIBRARY) - set(FILES)) == []


@pytest.mark.parametrize(
    ("file", "source", "told"),
    [
        (
            "protocols/easgd.py",
            "from tether.runners.local import World",
            "tether.runners.local.World",
        ),
        ("protocols/easgd.py", "from tether import runners", "tether.runners"),
        ("protocols/easgd.py", "import zmq", "zmq"),
        ("protocols/easgd.py", "from tether.actors import link", "tether.actors.link"),
        ("protocols/easgd.py", "from ..actors.link import Link", "tether.actors.link"),
        ("protocols/easgd.py", "import tether.actors.compute", "tether.actors.compute"),
        ("protocols/easgd.py", "from asyncio import sleep", "asyncio.sleep"),
        ("actors/link.py", "def f():\n    from tether.protocols import easgd", "tether.protocols"),
        ("actors/link.py", "import rich", "rich"),
        ("actors/link.py", "from cryptography.hazmat import x", "cryptography.hazmat.x"),
        (
            "actors/cuda.py",
            "def f():\n    from cuda.bindings import driver",
            "cuda.bindings.driver",
        ),
        ("runners/local.py", "from tether.protocols.easgd import Center", "tether.protocols.easgd"),
    ],
)
def test_a_forbidden_import_is_found_and_named(file: str, source: str, told: str) -> None:
    folder = file.partition("/")[0]

    (sentence,) = offences(file, source)

    assert sentence.startswith(f"{file} imports {told}")
    assert sentence.endswith(WANTED[folder])


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("actors/tensors.py", "import torch"),
        ("actors/link.py", "def f():\n    import numpy as np"),
        ("runners/build.py", "try:\n    import torch.cuda\nexcept ImportError:\n    pass"),
    ],
)
def test_an_early_import_of_torch_or_numpy_is_found(file: str, source: str) -> None:
    (sentence,) = offences(file, source)

    assert "are imported inside functions" in sentence


@pytest.mark.parametrize(
    ("file", "source", "name"),
    [
        ("actors/link.py", "import time", "time"),
        ("actors/link.py", "from random import Random", "random"),
        ("actors/compute.py", "import threading", "threading"),
        ("actors/link.py", "async def f(loop):\n    await loop.run_in_executor(None, f)",
         "run_in_executor"),
        ("actors/clock.py", "import uuid", "uuid"),
        ("actors/link.py", "import asyncio\nasyncio.to_thread(print)", "to_thread"),
        ("actors/link.py", "from asyncio import to_thread", "to_thread"),
        ("protocols/gosgd.py", "import random", "random"),
    ],
)  # fmt: skip
def test_a_way_around_the_worlds_doors_is_found(file: str, source: str, name: str) -> None:
    (sentence,) = offences(file, source)

    assert sentence.startswith(f"{file} uses {name}; time, chance and threads come through")


def test_more_of_asyncio_than_a_protocol_needs_is_found() -> None:
    (sentence,) = offences("protocols/gosgd.py", "import asyncio\nasyncio.sleep(1)")

    assert sentence.startswith("protocols/gosgd.py uses asyncio.sleep; protocols may import only")
    assert sentence.endswith("and of asyncio Event, TaskGroup, create_task")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("protocols/easgd.py", "import torch\nfrom asyncio import TaskGroup, create_task"),
        ("protocols/easgd.py", "from tether.actors import Ref, report\nfrom math import sqrt"),
        ("protocols/learner.py", "from tether.actors.compute import off_loop"),
        ("actors/cell.py", "if TYPE_CHECKING:\n    from random import Random\n    import torch"),
        ("actors/tensors.py", "def f():\n    import torch"),
        ("actors/clock.py", "import time, random, secrets"),
        ("actors/sealing.py", "from cryptography.exceptions import InvalidTag"),
        ("runners/build.py", "import subprocess\nfrom tether.actors.link import Link"),
    ],
)
def test_what_is_allowed_is_no_offence(file: str, source: str) -> None:
    assert offences(file, source) == []


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["tether.actors", "tether.runners"])
def test_a_package_is_imported_without_heavy_libraries(package: str) -> None:
    loaded = loaded_by(f"import {package}")

    assert "tether" in loaded
    assert loaded & {"torch", "numpy", "rich", "typer"} == set()


def test_no_module_of_actors_or_runners_needs_torch_to_be_imported() -> None:
    names = [file.removesuffix(".py").replace("/", ".") for file in FILES]
    wanted = [f"tether.{name}" for name in names if not name.startswith("protocols")]

    loaded = loaded_by(f"import {', '.join(wanted)}")

    assert loaded & {"torch", "numpy", "cryptography"} == set()
