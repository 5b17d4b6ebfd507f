"""Compiles what every message passes through, where TETHER_COMPILE=1 asks for it.

Without that tether is installed as the Python it is written in, and does the same, slower.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from setuptools import setup

ROOT = Path(__file__).resolve().parent
COMPILED = (
    "caller", "calls", "carriage", "cell", "connection", "control", "departures", "directory",
    "extent", "forms", "frames", "inbound", "inflow", "journal", "ledger", "link", "mailbox",
    "node", "outbound", "outflow", "packet", "plain", "spin", "switch", "turn", "words",
)  # fmt: skip
"""Of `actors`: where a small message spends its time. No class of another module has one of theirs
as its base."""
OPTIONS = ("--config-file=", "--namespace-packages", "--explicit-package-bases",
           "--ignore-missing-imports")  # fmt: skip


def extensions() -> list[Any]:
    """Return what mypyc makes of them, under the names that they are installed by."""
    if os.environ.get("TETHER_COMPILE", "") in {"", "0"}:
        return []
    from mypyc.build import mypycify

    folder = Path(tempfile.mkdtemp(prefix="tether-compiled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "tether").mkdir()
    for name in ("actors", "protocols", "runners"):
        (folder / "tether" / name).symlink_to(ROOT / name)
    os.environ["MYPYPATH"] = str(folder)
    files = [str(folder / "tether" / "actors" / f"{name}.py") for name in COMPILED]
    return list(mypycify([*OPTIONS, *files], opt_level="3", target_dir=str(folder / "c")))


setup(ext_modules=extensions())
