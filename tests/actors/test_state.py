"""A state comes back from its file, torch's readers read it, and a damaged one says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import state, tensors

DTYPES = sorted(name for name in tensors.DTYPES if hasattr(torch, name))


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_bit_for_bit(dtype: str) -> None:
    kind: torch.dtype = getattr(torch, dtype)
    raw = torch.randint(0, 2, (6 * kind.itemsize,), dtype=torch.uint8)

    again = state.load(state.dump({"x": raw.view(kind).reshape(2, 3)}))["x"]

    assert (again.dtype, again.shape) == (kind, (2, 3))
    assert torch.equal(again.reshape(-1).view(torch.uint8), raw)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    leaves | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


@given(trees)
def test_every_tree_comes_back(tree: Any) -> None:
    assert state.load(state.dump(tree)) == tree


def test_tensors_of_a_tree_come_back_in_their_places() -> None:
    tree = {
        "model": {"weight": torch.eye(2), "bias": torch.zeros(0)},
        "steps": (3, [np.arange(4.0)]),
        1: torch.tensor(7),
    }

    again = state.load(state.dump(tree))

    assert torch.equal(again["model"]["weight"], torch.eye(2))
    assert again["model"]["bias"].shape == (0,)
    assert again["steps"][1][0].tolist() == [0, 1, 2, 3]
    assert again[1].item() == 7


def test_names_that_would_meet_are_told_apart() -> None:
    tree = {"a": {"b": torch.zeros(1)}, "a.b": torch.ones(1), "": torch.full((1,), 2.0)}

    again = state.load(state.dump(tree))

    assert [again["a"]["b"].item(), again["a.b"].item(), again[""].item()] == [0, 1, 2]


def test_a_state_that_is_one_tensor_comes_back() -> None:
    assert state.load(state.dump(torch.ones(2))).tolist() == [1, 1]


def test_any_reader_of_safetensors_finds_tensors_by_their_place() -> None:
    data = state.dump({"model": {"weight": torch.eye(2)}, "moments": [torch.ones(3).bfloat16()]})

    found = safetensors.torch.load(data)

    assert torch.equal(found["model.weight"], torch.eye(2))
    assert torch.equal(found["moments.0"], torch.ones(3).bfloat16())


def test_a_state_of_another_format_is_refused() -> None:
    data = state.dump({}).replace(b'"format": "1"', b'"format": "2"')

    with pytest.raises(ValueError, match="format 2 is not known here, only 1"):
        state.load(data)


def test_a_state_without_one_of_its_tensors_is_damaged() -> None:
    data = state.dump({"x": torch.ones(2)})

    with pytest.raises(ValueError, match=r"damaged: .*it has no tensor x, which its tree names"):
        state.load(data.replace(b'"x"', b'"y"'))


@given(st.integers(0, 10_000))
def test_a_state_cut_short_is_damaged(cut: int) -> None:
    data = state.dump({"x": torch.ones(100), "step": 3})

    with pytest.raises(ValueError, match=r"a state of .* bytes is damaged"):
        state.load(data[: cut % len(data)])


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_state_is_never_more_than_a_value_error(flips: list[tuple[int, int]]) -> None:
    data = bytearray(state.dump({"x": torch.ones(10), "y": [np.ones(3), (1, "z")]}))
    for at, byte in flips:
        data[at % len(data)] = byte

    try:
        state.load(bytes(data))
    except ValueError:
        return


def test_what_does_not_travel_cannot_be_kept() -> None:
    with pytest.raises(TypeError, match=r"a builtins\.set does not travel"):
        state.dump({"seen": {1, 2}})
