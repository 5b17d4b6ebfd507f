"""What a file holds becomes what a parameter takes, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.group import Group
from tether.actors.ref import Ref
from tether.runners.conversion import convert
from tether.runners.imports import Imports
from tether.runners.problems import Problems, Where
from tether.runners.references import Seat
from tether.runners.scene import Scene
from tether.runners.values import DictValue, GroupOf, ListValue, Make, RefTo, Special, Value

WHERE = Where("worker", ("x",))
CENTERS = GroupOf(("center/0", "center/1"))


class Rule(Enum):
    COPY = "copy"


class Center:
    async def pull(self) -> float:
        return 0.0


@dataclass
class Tree:
    lr: float
    parent: Ref[Center] | None = None
    children: list[Ref[Center]] = field(default_factory=list)


class Options(TypedDict):
    lr: float


class Device:
    pass


Device.__module__, Device.__qualname__ = "torch", "device"


def convert_here(raw: Any, hint: Any) -> tuple[Value, int]:
    problems = Problems()
    words: dict[str, int | str] = {"index": 3, "count": 5, "device": "cuda:0", "seed": 9}
    classes: dict[str, type | None] = {"center": Center, "worker": Tree}
    counts = {"center": 2, "worker": 5}
    scene = Scene(Seat("worker", 3), words, classes, counts, Imports(problems), problems)
    return convert(raw, hint, WHERE, scene), len(problems)


@pytest.mark.parametrize(
    ("raw", "hint", "value"),
    [
        (3, float, 3.0),
        (3, int | float, 3),
        (3, float | int, 3),
        (True, bool, True),
        ("x", str, "x"),
        (None, int | None, None),
        ("@@x", str, "@x"),
        ("$$x", str, "$x"),
        ("$index", int, 3),
        ("$index", float, 3.0),
        ("$device", str, "cuda:0"),
        ("$device", Device, Special("device", "cuda:0")),
        ("$device", Device | None, Special("device", "cuda:0")),
        ("paper", Literal["atomic", "paper"], "paper"),
        ("a/b", Path, Special("path", "a/b")),
        ("a/b", str | Path, "a/b"),
        ("COPY", Rule, Special("enum", f"{__name__}:Rule COPY")),
        ("copy", Rule, Special("enum", f"{__name__}:Rule COPY")),
        ([1, 2], list[float], ListValue((1.0, 2.0))),
        ([1, 2], tuple[int, ...], ListValue((1, 2), "tuple")),
        ([1, "a"], tuple[int, str], ListValue((1, "a"), "tuple")),
        ([1], Sequence[int], ListValue((1,))),
        ([1], Iterable[int] | None, ListValue((1,))),
        ([1, [2]], Any, ListValue((1, ListValue((2,))))),
        ({"a": 1}, dict[str, float], DictValue({"a": 1.0})),
        ({"lr": 1}, Options, DictValue({"lr": 1})),
        ({"lr": 1}, Tree, Make(f"{__name__}:Tree", {"lr": 1.0}, where="[worker] x")),
        ("@center[1]", Ref[Center], RefTo("center/1")),
        ("@center[=]", Ref[Center] | None, RefTo("center/1")),
        ("@center[*]", Group[Center], CENTERS),
        ("@center[*]", Any, CENTERS),
        ("@center[0]", Any, RefTo("center/0")),
        (["@center[0]", "@center[*]"], Group[Center], CENTERS),
        (["@center[0]", "@center[1]"], Any, CENTERS),
        (["@center[0]"], list[Ref[Center]], ListValue((RefTo("center/0"),))),
        (["@center[*]"], tuple[Group[Center], ...], ListValue((CENTERS,), "tuple")),
        ({"a": "@center[0]"}, dict[str, Ref[Center]], DictValue({"a": RefTo("center/0")})),
        ([], Group[Center], GroupOf(())),
    ],
)
def test_a_value_becomes_what_is_wanted(raw: Any, hint: Any, value: Value) -> None:
    found, problems = convert_here(raw, hint)

    assert problems == 0
    assert found == value
    assert type(found) is type(value)


def test_references_lie_inside_dataclasses() -> None:
    raw = {"lr": 1, "parent": "@center[0]", "children": ["@center[1]"]}

    found, problems = convert_here(raw, Tree)

    assert problems == 0
    assert found == Make(
        f"{__name__}:Tree",
        {"lr": 1.0, "parent": RefTo("center/0"), "children": ListValue((RefTo("center/1"),))},
        where="[worker] x",
    )


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (True, int),
        (True, float),
        (1.0, int),
        (1, str),
        ("1", int),
        (1, bool),
        ("cuda:0", Device),
        ([1], set[int]),
        ("ab", Sequence[str]),
        (1, Literal[True]),
        ({"a": 1}, list[int]),
        (1, Path),
        (1, Center),
        ("@center[*]", list[Ref[Center]]),
        ("@worker[*]", Group[Center]),
        (["@worker[0]"], list[Ref[Center]]),
        ({"lr": 1, "parent": "@worker[0]"}, Tree),
        (b"x", Any),
    ],
)
def test_nothing_else_converts(raw: Any, hint: Any) -> None:
    _, problems = convert_here(raw, hint)

    assert problems == 1


PLAIN = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="ascii"), max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
).filter(lambda raw: "@" not in repr(raw) and "$" not in repr(raw))


def plain(value: Value) -> Any:
    return [plain(item) for item in value.items] if isinstance(value, ListValue) else value


@given(PLAIN)
def test_what_nobody_annotated_stays_as_it_is(raw: Any) -> None:
    found, problems = convert_here(raw, Any)

    assert problems == 0
    assert plain(found) == raw
