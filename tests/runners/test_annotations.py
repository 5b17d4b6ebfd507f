"""What callables take, each parameter resolved alone."""

from __future__ import annotations

import functools
import typing
from dataclasses import dataclass
from types import FunctionType
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


def test_a_name_in_an_annotation_means_what_its_own_module_says() -> None:
    """`typing` has one object for all `Sequence["Peer"]`, and keeps what it first meant."""
    meanings = [type("Peer", (), {}), type("Peer", (), {})]

    functions = [of_module(Peer=meaning) for meaning in meanings]

    found = [signature(function).parameters["peers"].hint for function in functions]
    assert [hint.__args__ for hint in found] == [(meaning,) for meaning in meanings]


def of_module(**names: Any) -> Any:
    """Return a function whose annotation is looked up in a module of its own."""

    def take(peers: Any) -> None: ...

    take.__annotations__["peers"] = typing.Sequence["Peer"]  # type: ignore[name-defined] # noqa: F821
    made = FunctionType(take.__code__, {**names}, "take")
    made.__annotations__ = take.__annotations__
    return made
