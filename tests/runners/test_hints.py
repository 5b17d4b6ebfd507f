"""Annotations as values: how they are written, and which fit each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import InitVar
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NewType, Protocol, TypeVar

import pytest

from tether.actors.group import Group
from tether.actors.ref import Ref
from tether.runners.hints import article, assignable, bare, choices, is_a, is_device, shown

Steps = NewType("Steps", int)
T = TypeVar("T")
F = TypeVar("F", bound=float)


class Center:
    async def exchange(self, x: float) -> float:
        return x


class Elastic(Center):
    async def pull(self) -> float:
        return 0.0


class Pulls(Protocol):
    async def pull(self) -> float: ...


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Ref[Center], "Ref[Center]"),
        (Group[Center], "Group[Center]"),
        (Ref[Center] | None, "Ref[Center] | None"),
        (int | str, "int | str"),
        (dict[str, list[Ref[Center]]], "dict[str, list[Ref[Center]]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["atomic", 3], "Literal['atomic', 3]"),
        (Callable[[int], str], "Callable[[int], str]"),
        (Path, "Path"),
        (None, "None"),
        (Any, "Any"),
    ],
)
def test_a_hint_is_shown_as_people_write_it(hint: Any, text: str) -> None:
    assert shown(hint) == text


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (Annotated[int, "steps"], int),
        (Final[int], int),
        (Steps, int),
        (InitVar[int], int),
        (T, Any),
        (F, float),
        (object, Any),
    ],
)
def test_what_says_nothing_about_values_is_taken_off(hint: Any, expected: Any) -> None:
    assert bare(hint) is expected


def test_a_union_of_unions_is_flat() -> None:
    assert choices(Annotated[int | None, "x"] | str) == (int, type(None), str)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Center, True),
        (Elastic, True),
        (Pulls, True),
        (Any, True),
        (int | Center, True),
        (int, False),
    ],
)
def test_an_actor_is_a_class_a_union_or_a_protocol_by_its_messages(wanted: Any, fits: bool) -> None:
    assert is_a(Elastic, wanted) is fits


def test_an_actor_without_a_protocol_s_messages_does_not_fit_it() -> None:
    assert not is_a(Center, Pulls)


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        (int, float, True),
        (float, int, False),
        (bool, int, True),
        (list[int], Sequence[int], True),
        (list[int], tuple[int, ...], False),
        (Elastic, Center, True),
        (Center, Elastic, False),
        (int | None, int, False),
        (None, int | None, True),
        (int, Any, True),
        (Any, int, True),
        (Center, Pulls, True),
        (Literal["a"], str, True),
        (Elastic, Ref[Center], True),
        (int, Ref[Center], False),
        (Ref[Center], Ref[Center], True),
        (Center, Ref[Pulls], False),
    ],
)
def test_what_a_factory_gives_fits_unless_it_surely_does_not(
    source: Any, target: Any, fits: bool
) -> None:
    assert assignable(source, target) is fits


def test_a_device_is_told_without_torch() -> None:
    device = type("device", (), {"__module__": "torch"})

    assert is_device(device)
    assert not is_device(Path)


def test_articles_follow_the_ear() -> None:
    assert [article(name) for name in ("Center", "int", "Evaluator")] == [
        "a Center",
        "an int",
        "an Evaluator",
    ]
