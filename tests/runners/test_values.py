"""Values travel as plain data."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.values import (
    DictValue,
    GroupOf,
    ListValue,
    Make,
    RefTo,
    Special,
    Value,
    leaves,
    makes,
    value_from_wire,
    value_to_wire,
)

NAMES = st.text(max_size=5)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | NAMES
LEAVES = (
    SCALARS
    | st.builds(RefTo, NAMES)
    | st.builds(GroupOf, st.lists(NAMES, max_size=3).map(tuple), st.just("") | NAMES, NAMES)
    | st.builds(Special, st.sampled_from(["path", "device", "enum"]), NAMES)
)


def _trees(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    tables = st.dictionaries(NAMES, inner, max_size=3)
    items = st.lists(inner, max_size=3).map(tuple)
    return (
        st.builds(ListValue, items, st.sampled_from(["list", "tuple"]))
        | st.builds(DictValue, tables)
        | st.builds(Make, NAMES, tables, st.booleans(), NAMES)
    )


VALUES: st.SearchStrategy[Value] = st.recursive(LEAVES, _trees, max_leaves=10)


@given(VALUES)
def test_a_value_survives_the_wire(value: Value) -> None:
    packed = msgpack.packb(value_to_wire(value))

    assert value_from_wire(msgpack.unpackb(packed)) == value


@pytest.mark.parametrize("data", [["exec", "x"], {"a": 1}, ["ref"], b"x"])
def test_data_that_is_no_value_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="which is no value of a wiring"):
        value_from_wire(data)


def test_leaves_lie_at_any_depth() -> None:
    inner = Make("m:f", {"a": RefTo("b/0")})
    value = DictValue({"x": ListValue((1, GroupOf(("c/0",)))), "y": inner})

    assert list(leaves(value)) == [1, GroupOf(("c/0",)), inner, RefTo("b/0")]


def test_what_is_to_be_made_is_found_inside_what_is_made() -> None:
    inner = Make("m:g", {})
    outer = Make("m:f", {"a": ListValue((inner,))})

    assert list(makes({"x": outer, "y": 3})) == [outer, inner]
