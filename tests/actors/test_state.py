"""A state comes back from its file, torch's readers read it, and a damaged one says so."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import state, tensors
from tether.actors.ref import make_ref

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


def test_the_pieces_are_the_tensors_own_memory() -> None:
    x, y = torch.zeros(3), np.zeros(3)

    pieces = state.pieces({"x": x, "y": y})
    x.fill_(1)
    y.fill(2)

    assert np.frombuffer(pieces[1], np.float32).tolist() == [1, 1, 1]
    assert np.frombuffer(pieces[2], np.float64).tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3).T, np.arange(3, dtype=">i4"), np.array(1.5), np.zeros((0, 2))],
    ids=["transposed", "big-endian", "no dimension", "empty"],
)
def test_an_array_of_any_layout_comes_back(array: Any) -> None:
    again = state.load(state.dump({"y": array}))["y"]

    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert np.array_equal(again, array)


def test_what_comes_back_is_writable_memory_of_its_own() -> None:
    data = state.dump({"x": torch.ones(2), "y": np.ones(2)})

    first, second = state.load(data), state.load(data)
    first["x"].zero_()
    first["y"][:] = 0

    assert second["x"].tolist() == second["y"].tolist() == [1, 1]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(texts.filter(lambda key: key not in state.OURS), texts))
def test_what_a_file_is_about_is_read_without_its_state(about: dict[str, str]) -> None:
    data = state.dump({"x": torch.ones(2)}, about)

    assert state.opened(data).about == about
    assert state.load(data)["x"].tolist() == [1, 1]


def test_what_a_file_is_about_may_look_like_its_checksum() -> None:
    about = {"a": '"crc32": "00000000"', '"crc32": "00000000"': "b", "": "crc32"}

    data = state.dump({'"crc32"': torch.ones(2), "crc32": torch.ones(1)}, about)

    assert state.opened(data).about == about
    assert state.load(data)["crc32"].tolist() == [1]


def test_a_tensor_may_have_the_name_of_the_metadata() -> None:
    again = state.load(state.dump({"__metadata__": torch.ones(2)}))

    assert again["__metadata__"].tolist() == [1, 1]


@pytest.mark.parametrize("word", sorted(state.OURS))
def test_what_a_file_is_about_has_no_word_of_the_files_own(word: str) -> None:
    with pytest.raises(ValueError, match=f"{word} in about is a word of the file's own"):
        state.pieces({}, {word: "1"})


@pytest.mark.parametrize(("found", "age"), [("1", "an older"), ("3", "another"), ("x", "another")])
def test_a_state_of_another_format_is_refused(found: str, age: str) -> None:
    data = state.dump({}).replace(b'"format": "2"', f'"format": "{found}"'.encode())

    with pytest.raises(ValueError, match=f"has format {found}, of {age} version; 2 is wanted"):
        state.load(data)


def test_a_state_of_the_first_format_is_refused_for_its_age() -> None:
    head = b'{"__metadata__": {"format": "1", "tree": "gA=="}}       '

    with pytest.raises(ValueError, match="it has format 1, of an older version; 2 is wanted"):
        state.load(len(head).to_bytes(8, "little") + head)


def resealed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return a file in which a part is another of equal length, with a checksum that is right."""
    size = 8 + int.from_bytes(data[:8], "little")
    before = state.opened(data)
    sealed = json.loads(data[8:size])["__metadata__"]["crc32"].encode()
    blank = data.replace(sealed, state.UNKNOWN.encode(), 1).replace(old, new)
    assert len(blank) == len(data)
    assert before.data.nbytes == len(data) - size
    return blank.replace(state.UNKNOWN.encode(), f"{zlib.crc32(blank):08x}".encode(), 1)


def test_a_state_without_one_of_its_tensors_is_damaged() -> None:
    data = resealed(state.dump({"x": torch.ones(2)}), b'"x"', b'"y"')

    with pytest.raises(ValueError, match=r"damaged: it has no tensor x, which its tree names"):
        state.load(data)


def test_a_state_whose_tensor_is_shorter_than_its_shape_is_damaged() -> None:
    data = resealed(state.dump({"x": torch.ones(2)}), b"[0, 8]", b"[0, 4]")

    with pytest.raises(
        ValueError, match=r"damaged: shape \[2\] of 4-byte items needs 8 bytes, not 4"
    ):
        state.load(data)


@given(st.integers(0, 10_000))
def test_a_state_cut_short_is_refused(cut: int) -> None:
    data = state.dump({"x": torch.ones(100), "step": 3})

    with pytest.raises(ValueError, match=r"^it is cut short: \d+ (bytes|of \d+)"):
        state.load(data[: cut % len(data)])


def test_a_state_with_something_after_it_is_damaged() -> None:
    with pytest.raises(ValueError, match=r"it is damaged: its checksum is \w{8}, not \w{8}"):
        state.load(state.dump({"x": torch.ones(3)}) + b"\0")


SMALL = state.dump({"x": torch.ones(5), "y": [np.ones(3), (1, "z")]}, {"actor": "center/0"})


@given(st.integers(0, 8 * len(SMALL) - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    data = bytearray(SMALL)
    data[bit // 8] ^= 1 << bit % 8

    with pytest.raises(ValueError, match=r"^it (is cut short|is damaged|has format)"):
        state.opened(bytes(data))


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_state_is_never_more_than_a_value_error(flips: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for at, byte in flips:
        data[at % len(data)] = byte

    if data != SMALL:
        with pytest.raises(ValueError, match=r"^it (is cut short|is damaged|has format)"):
            state.load(bytes(data))


@given(st.binary(max_size=200))
def test_garbage_is_never_more_than_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is "):
        state.load(data)


@given(st.binary(max_size=100))
def test_a_header_of_garbage_is_never_more_than_a_value_error(garbage: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is "):
        state.load(len(garbage).to_bytes(8, "little") + garbage)


headers = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["2", "format"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["__metadata__", "format", "crc32", "tree", "x", "data_offsets"]), inner
        )
    ),
)


@given(headers)
def test_a_header_of_another_make_is_never_more_than_a_value_error(header: Any) -> None:
    head = json.dumps(header).encode()

    with pytest.raises(ValueError, match=r"^it (is|has)"):
        state.load(len(head).to_bytes(8, "little") + head)


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({1, 2}, r"seen\.0: a builtins\.set"),
        (Point(1), r"seen\.0: a .*test_state\.Point"),
        (make_ref("center/0", cast("Any", None)), r"seen\.0: a .*Ref"),
        ({(1, 2): 3}, r"seen\.0: a builtins\.tuple"),
        (np.float64(1), r"seen\.0: a numpy\.float64"),
    ],
)
def test_what_could_not_come_back_cannot_be_kept(value: Any, named: str) -> None:
    with pytest.raises(TypeError, match=named + " cannot be kept; None, bool, int"):
        state.dump({"seen": [value]})
