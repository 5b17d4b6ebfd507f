"""What callables take, each parameter resolved alone."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tether.actors.ref import Ref
from tether.runners.annotations import signature

if TYPE_CHECKING:
    from decimal import Decimal


class Center:
    def __init__(self, x: Decimal, alpha: float = 0.5) -> None:
        self.x = x


class Heir(Center):
    pass


@dataclass
class Pair:
    center: Ref[Center]
    size: int = 2


class Plain:
    pass


def factory(shard: int, /, *rest: int, of: int, **more: str) -> Center:
    raise NotImplementedError


def wrong(x: int[3]) -> None:  # type: ignore[type-arg, valid-type]
    raise NotImplementedError


def test_an_annotation_that_fails_hides_no_other() -> None:
    found = signature(Center)

    assert found.unresolved == {"x": "Decimal is not defined at run time"}
    assert found.parameters["x"].hint is Any
    assert found.parameters["alpha"].hint is float


def test_an_annotation_that_raises_says_what() -> None:
    found = signature(wrong)

    assert found.unresolved["x"].startswith("its annotation raises TypeError: ")


def test_what_has_no_default_is_required() -> None:
    found = signature(Center)

    assert found.parameters["x"].required
    assert not found.parameters["alpha"].required


def test_an_inherited_constructor_is_read_where_it_was_written() -> None:
    assert signature(Heir).parameters["alpha"].hint is float


def test_dataclasses_are_read_like_constructors() -> None:
    found = signature(Pair)

    assert found.parameters["center"].hint == Ref[Center]
    assert found.returns is Pair


def test_a_class_without_constructor_takes_nothing() -> None:
    assert signature(Plain).parameters == {}


def test_kinds_of_parameters_are_told_apart() -> None:
    found = signature(factory)

    assert list(found.parameters) == ["shard", "of"]
    assert found.parameters["shard"].by_position_only
    assert found.rest is str
    assert found.returns is Center


def test_a_partial_takes_what_is_left() -> None:
    found = signature(functools.partial(factory, 1))

    assert list(found.parameters) == ["of"]


def test_a_callable_that_does_not_say_what_it_takes_is_opaque() -> None:
    found = signature(dict)

    assert found.opaque
    assert found.returns is dict
