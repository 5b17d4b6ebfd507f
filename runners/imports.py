"""Find what a wiring names: "module:name" texts, or classes and functions given from Python."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tether.runners.problems import Problems, Where, nearest

PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@contextmanager
def first_on_path(folder: Path) -> Iterator[None]:
    """Import from the wiring's folder first; a loaded namesake from elsewhere makes way."""
    _evict_namesakes(folder.resolve())
    sys.path.insert(0, str(folder.resolve()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))


def _evict_namesakes(folder: Path) -> None:
    here = {path.stem for path in folder.glob("*.py")}
    here |= {path.parent.name for path in folder.glob("*/__init__.py")}
    for name in here - sys.stdlib_module_names - {"tether", "__main__"}:
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin and folder not in Path(origin).resolve().parents:
            for loaded in [key for key in sys.modules if key.split(".")[0] == name]:
                del sys.modules[loaded]


class Imports:
    """Loads what one wiring names, each module once, and remembers it by path."""

    def __init__(self, problems: Problems, *, importable: bool = True) -> None:
        self.objects: dict[str, Any] = {}
        self._problems = problems
        self.importable = importable
        self._failed: dict[str, str] = {}

    def load(self, named: Any, where: Where) -> tuple[str, Any] | None:
        """Return the path and the object of what is named; None once a fault is reported."""
        if not isinstance(named, str):
            return self._given(named, where)
        if not PATH.fullmatch(named):
            self._problems.add(
                where.holds(named), 'this is not of the form "module:name", as in "task:learner"'
            )
            return None
        if named not in self.objects and not self._find(named, where):
            return None
        return named, self.objects[named]

    def _find(self, path: str, where: Where) -> bool:
        module, _, attribute = path.partition(":")
        if fault := self._import(module):
            self._problems.add(where.holds(path), fault)
            return False
        found: Any = sys.modules[module]
        for name in attribute.split("."):
            if not hasattr(found, name):
                holder = getattr(found, "__name__", module)
                text = f"{holder} has no {name}{nearest(name, dir(found))}"
                self._problems.add(where.holds(path), text)
                return False
            found = getattr(found, name)
        self.objects[path] = found
        return True

    def _import(self, module: str) -> str:
        """Return why a module cannot be imported, "" once it is."""
        if module not in self._failed:
            try:
                importlib.import_module(module)
                self._failed[module] = ""
            except (Exception, SystemExit) as error:
                self._failed[module] = _fault(module, error)
        return self._failed[module]

    def _given(self, found: Any, where: Where) -> tuple[str, Any] | None:
        if not callable(found):
            self._problems.add(
                where.holds(found), 'this is neither "module:name" nor a class or function'
            )
            return None
        name = getattr(found, "__qualname__", f"{type(found).__qualname__}()")
        path = f"{getattr(found, '__module__', '__main__')}:{name}"
        if _importable(path, found):
            self.objects[path] = found
            return path, found
        if self.importable:
            self._problems.add(
                where, f"{name} cannot be imported by other processes; move it to a module"
            )
            return None
        while self.objects.setdefault(path, found) is not found:
            path += "'"
        return path, found


def _importable(path: str, found: Any) -> bool:
    module, _, attribute = path.partition(":")
    if module == "__main__" or not PATH.fullmatch(path):
        return False
    reached: Any = sys.modules.get(module)
    for name in attribute.split("."):
        reached = getattr(reached, name, None)
    return reached is found


def _fault(module: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name} beside the wiring file or among those installed"
    if isinstance(error, SystemExit):
        return f"importing {module} ends the program with sys.exit({error.code!r}){_line(error)}"
    if isinstance(error, SyntaxError):
        place = f" ({Path(error.filename or module).name}, line {error.lineno})"
        return f"importing {module} raises {type(error).__name__}: {error.msg}{place}"
    return f"importing {module} raises {type(error).__name__}: {error}{_line(error)}"


def _line(error: BaseException) -> str:
    """Return where an import failed, in the last frame that is a file's."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if not frame.filename.startswith("<")]
    return f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})"
