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
    arguments = _arguments(error, where) if name else []
    full = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    notes = [_text(note) for note in [*getattr(error, "__notes__", ()), where]]
    trace = "".join(traceback.format_exception(error))
    return [name, arguments, full, _text(error), notes, _text(trace)]


def _arguments(error: BaseException, where: str) -> list[Any]:
    """Return what an exception of its type can be made of again."""
    if isinstance(error, BaseExceptionGroup):
        return [_text(error.message), [plain(each, where) for each in error.exceptions]]
    apart = [error.filename] if isinstance(error, OSError) and error.filename is not None else []
    return [_plain_argument(argument) for argument in (*error.args, *apart)]


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
        if name == "ExceptionGroup":
            arguments = [arguments[0], [rebuilt(each) for each in arguments[1]]]
        error = KNOWN[name](*arguments)
    except Exception:  # a built-in type may want other arguments than it keeps
        error = errors.RemoteError(f"{full}: {text}")
    for note in notes:
        error.add_note(note)
    error.add_note("the remote traceback:\n" + trace.rstrip())
    return error
