"""Exceptions ⇄ plain data: an error comes home as itself, or as RemoteError naming its type."""

from __future__ import annotations

import builtins
import traceback
from typing import Any

from tether.actors import errors

OURS = (errors.ActorGone, errors.Unreachable, errors.CallCycle, errors.RemoteError)
KNOWN = {kind.__name__: kind for kind in OURS} | {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}
PLAIN = (str, int, float, bool, bytes, type(None))


def plain(error: BaseException, where: str) -> list[Any]:
    """Return an exception as plain data: type, arguments, text, notes and traceback."""
    kind = type(error)
    name = kind.__name__ if KNOWN.get(kind.__name__) is kind else ""
    arguments = [a if isinstance(a, PLAIN) else str(a) for a in error.args] if name else []
    full = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    notes = [*getattr(error, "__notes__", ()), where]
    trace = "".join(traceback.format_exception(error))
    return [name, arguments, full, str(error), notes, trace]


def rebuilt(data: list[Any]) -> Exception:
    """Return the exception plain data stands for, its remote traceback among its notes."""
    name, arguments, full, text, notes, trace = data
    error: Exception
    try:
        error = KNOWN[name](*arguments)
    except Exception:  # a built-in type may want other arguments than it keeps
        error = errors.RemoteError(f"{full}: {text}")
    for note in notes:
        error.add_note(note)
    error.add_note("the remote traceback:\n" + trace.rstrip())
    return error
