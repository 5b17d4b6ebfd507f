"""An error comes home as itself, or as a RemoteError that names it."""

from __future__ import annotations

from typing import Any

import pytest

from tether.actors import codec, failures
from tether.actors.errors import ActorGone, CallCycle, RemoteError, Unreachable


class Stranger(Exception):
    pass


class ValueErrorOfOurs(ValueError):
    pass


def home(error: BaseException) -> Exception:
    """Return an error after its way home through the codec."""
    body = codec.encode(failures.plain(error, "in center/0, Center.exchange, called by worker/3"))
    return failures.rebuilt(codec.decode(body))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x is not finite"),
        KeyError("x"),
        OSError(2, "No such file"),
        ZeroDivisionError(),
        TimeoutError("late"),
        ActorGone("center/0 is gone"),
        CallCycle("a → b → a"),
        Unreachable("host b"),
        RemoteError("torch.cuda.OutOfMemoryError: 2 GiB"),
    ],
)
def test_known_errors_come_home_as_themselves(error: Exception) -> None:
    again = home(error)

    assert type(again) is type(error)
    assert again.args == error.args
    assert again.__notes__[0] == "in center/0, Center.exchange, called by worker/3"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Stranger("of its own kind"), r"^[\w.]*test_failures\.Stranger: of its own kind\n"),
        (ValueErrorOfOurs("3"), r"^[\w.]*test_failures\.ValueErrorOfOurs: 3\n"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), None),
        (BaseExceptionGroup("two", [SystemExit(1)]), r"^BaseExceptionGroup: two \(1 sub-"),
        (SystemExit(3), "^SystemExit: 3\n"),
    ],
)
def test_other_errors_come_home_as_remote_errors(error: BaseException, text: str | None) -> None:
    again = home(error)

    if text is None:
        assert isinstance(again, UnicodeDecodeError)
    else:
        with pytest.raises(RemoteError, match=text):
            raise again


def test_arguments_that_do_not_travel_come_home_as_text() -> None:
    assert home(ValueError({1}, 2)).args == ("{1}", 2)


def test_notes_and_the_traceback_come_home() -> None:
    error: Any = None
    try:
        raise ValueError("here")
    except ValueError as caught:
        caught.add_note("while averaging")
        error = caught

    again = home(error)

    assert again.__notes__[0] == "while averaging"
    assert again.__notes__[2].startswith("the remote traceback:\nTraceback (most recent call last)")
    assert again.__notes__[2].endswith("ValueError: here\nwhile averaging")


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def test_text_that_no_wire_can_carry_is_made_readable() -> None:
    assert home(ValueError("x\ud800")).args == ("x?",)


def test_an_error_that_has_no_text_still_comes_home() -> None:
    with pytest.raises(RemoteError, match="Mute: a Mute that cannot be written as text"):
        raise home(Mute())


def test_a_group_of_errors_comes_home_with_each_of_them() -> None:
    again = home(ExceptionGroup("two", [ValueError("1"), ExceptionGroup("in", [Stranger("2")])]))

    assert isinstance(again, ExceptionGroup)
    first, inner = again.exceptions
    assert (again.message, type(first), first.args) == ("two", ValueError, ("1",))
    assert isinstance(inner, ExceptionGroup)
    assert isinstance(inner.exceptions[0], RemoteError)


def test_an_error_of_the_system_keeps_its_file() -> None:
    again = home(FileNotFoundError(2, "No such file or directory", "train.pt"))

    assert isinstance(again, FileNotFoundError)
    assert (again.errno, again.filename) == (2, "train.pt")
