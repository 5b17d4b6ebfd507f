"""Arguments by name against what a callable takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tether.runners.annotations import signature
from tether.runners.arguments import make, record, supplied
from tether.runners.conversion import convert
from tether.runners.imports import Imports
from tether.runners.problems import Problems, Where, WiringError
from tether.runners.references import Seat
from tether.runners.scene import Scene
from tether.runners.values import Make, Value

WHERE = Where("worker", ("learner",))


class Net:
    def __init__(self, width: int) -> None:
        self.width = width


def tuned(width: int, **more: float) -> Net:
    return Net(width)


def maybe(width: int) -> Net | None:
    return Net(width) if width else None


def scene() -> Scene:
    problems = Problems()
    words: dict[str, int | str] = {"index": 2, "count": 4, "device": "cpu", "seed": 5}
    return Scene(Seat("worker", 2), words, {}, {}, Imports(problems), problems)


def arguments(function: Callable[..., Any], given: dict[str, Any], here: Scene) -> dict[str, Value]:
    return supplied("it", signature(function), given, (), WHERE, here, convert)


def test_arguments_are_converted_by_name() -> None:
    here = scene()

    found = arguments(tuned, {"width": "$index", "rate": 1}, here)

    assert found == {"width": 2, "rate": 1.0}
    assert len(here.problems) == 0


def test_missing_unknown_and_wrong_ones_are_told_together() -> None:
    here = scene()

    arguments(maybe, {"widht": "three"}, here)

    with pytest.raises(WiringError) as caught:
        here.problems.check()
    assert caught.value.problems == (
        "[worker] learner.width is missing: it needs it",
        "[worker] learner.widht: it takes no such argument (did you mean width?); it takes width",
    )


def test_a_make_lies_inside_a_make() -> None:
    here = scene()
    raw = {"make": dict, "net": {"make": Net, "width": 3}}

    found = make(raw, Any, WHERE, here, convert)

    net = Make(f"{__name__}:Net", {"width": 3}, where="[worker] learner.net")
    assert found == Make("builtins:dict", {"net": net}, where="[worker] learner")
    assert list(here.notes) == [
        "[worker] learner: its arguments are not checked: builtins:dict does not say what it takes"
    ]


@pytest.mark.parametrize(("hint", "problems"), [(Net | None, 0), (Any, 0), (Net, 1), (int, 1)])
def test_what_a_factory_may_give_must_fit(hint: Any, problems: int) -> None:
    here = scene()

    make({"make": maybe, "width": 3}, hint, WHERE, here, convert)

    assert len(here.problems) == problems


def test_a_factory_that_is_not_found_hides_no_fault_of_its_arguments() -> None:
    here = scene()

    make({"make": "nowhere:f", "net": {"make": Net}, "x": "@center"}, Any, WHERE, here, convert)

    assert len(here.problems) == 3


def test_a_record_is_built_from_its_fields() -> None:
    here = scene()

    found = record({"width": 3}, Net, WHERE, here, convert)

    assert found == Make(f"{__name__}:Net", {"width": 3}, where="[worker] learner")
