"""A message knows its size and whether it is counted."""

from __future__ import annotations

from tests.actors.conftest import call
from tether.actors.message import OVERHEAD, Body, Kind, Part


def test_a_body_is_as_large_as_its_structure_and_parts_and_an_overhead() -> None:
    assert Body(b"12345", parts=(Part(100), Part(20))).size == OVERHEAD + 125
    assert Body(b"").size == OVERHEAD


def test_calls_are_counted_and_answers_are_not() -> None:
    counted = [kind for kind in Kind if call(kind=kind).is_call]

    assert counted == [Kind.TELL, Kind.ASK]
