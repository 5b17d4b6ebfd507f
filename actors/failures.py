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
    arguments = [_plain_argument(a) for a in error.args] if name else []
    full = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    notes = [_text(note) for note in [*getattr(error, "__notes__", ()), where]]
    trace = "".join(traceback.format_exception(error))
    return [name, arguments, full, _text(error), notes, _text(trace)]


def _plain_argument(value: Any) -> Any:
    return value if isinstance(value, PLAIN) and not isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    """Return a value as text that can be sent, whatever its author made of it."""
    try:
        return str(value).encode(errors="replace").decode()
    except Exception:  # `__str__` is anybody's code
        return f"a {type(value).__name__} that cannot be written as text"


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
