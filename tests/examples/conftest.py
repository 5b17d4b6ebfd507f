"""Several examples have modules of the same name, such as `task`: each test imports its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def imported_anew() -> Iterator[None]:
    """Forget the examples' modules and folders before each test and after it."""
    path = list(sys.path)
    forget()
    yield
    forget()
    sys.path[:] = path


def forget() -> None:
    """Take out of `sys.modules` what lies in the examples."""
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "").is_relative_to(EXAMPLES):
            del sys.modules[name]
