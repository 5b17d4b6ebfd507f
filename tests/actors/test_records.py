"""A handler lets in the records that its signature names, and those within them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Optional

from tether.actors.handlers import handlers
from tether.actors.records import answer_records, argument_records


@dataclass
class Leaf:
    value: int


@dataclass
class Tree:
    leaf: Leaf
    branches: list[Tree]


class Move(NamedTuple):
    step: int
    after: Optional[Leaf] = None  # noqa: UP045 - users write it so


class Plain:
    pass


@dataclass
class Unresolved:
    nowhere: Nowhere  # type: ignore[name-defined]  # noqa: F821


class Actor:
    async def nested(self, trees: dict[str, list[Tree | None]]) -> int: ...  # type: ignore[empty-body]

    async def answers(self, x: Plain) -> Annotated[Move, "why"]: ...  # type: ignore[empty-body]

    async def untyped(self, x, y=0):  # type: ignore[no-untyped-def]
        ...

    async def broken(self, x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    async def half(self, x: Unresolved) -> None: ...


def arguments(message: str) -> dict[str, Any]:
    return argument_records(handlers(Actor)[message])


def test_records_are_found_at_any_depth_and_in_rings() -> None:
    assert arguments("nested") == {"Tree": Tree, "Leaf": Leaf}


def test_what_is_answered_is_not_let_in_as_an_argument() -> None:
    assert arguments("answers") == {}
    assert answer_records(handlers(Actor)["answers"]) == {"Move": Move, "Leaf": Leaf}


def test_without_annotations_there_are_no_records() -> None:
    assert arguments("untyped") == {}
    assert answer_records(handlers(Actor)["untyped"]) == {}


def test_annotations_that_cannot_be_resolved_let_nothing_in() -> None:
    assert arguments("broken") == {}
    assert arguments("half") == {"Unresolved": Unresolved}
