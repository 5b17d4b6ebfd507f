"""A snapshot is the state of one moment, in memory that is used again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import state, tensors
from tether.actors.snapshot import Snapshot

DTYPES = sorted(name for name in tensors.DTYPES if hasattr(torch, name))


def addresses(tree: Any) -> list[int]:
    return [tree["x"].data_ptr(), tree["layers"][0]["w"].data_ptr(), tree["a"].ctypes.data]


def model() -> dict[str, Any]:
    return {"x": torch.ones(100), "layers": [{"w": torch.eye(3)}], "a": np.ones(4), "t": 3}


def test_what_was_taken_stays_what_it_was_while_the_actor_goes_on() -> None:
    snapshot, mine = Snapshot(), model()
    snapshot.prepare(mine)

    taken = snapshot.take(mine)
    mine["x"].zero_()
    mine["a"][:] = 0
    mine["layers"].append("more")
    mine["layers"][0]["w"] = None

    assert taken["x"].tolist() == [1.0] * 100
    assert taken["a"].tolist() == [1.0] * 4
    assert torch.equal(taken["layers"][0]["w"], torch.eye(3))
    assert (len(taken["layers"]), taken["t"]) == (1, 3)


def test_prepared_memory_is_used_again_and_again() -> None:
    snapshot, mine = Snapshot(), model()
    snapshot.prepare(mine)
    first = addresses(snapshot.take(mine))
    snapshot.release()

    mine["x"].fill_(2)
    snapshot.prepare(mine)
    taken = snapshot.take(mine)

    assert addresses(taken) == first
    assert taken["x"].tolist() == [2.0] * 100


def test_what_was_not_prepared_is_copied_all_the_same() -> None:
    snapshot, mine = Snapshot(), model()
    snapshot.prepare({"x": torch.ones(99), "layers": [np.eye(3)], "a": torch.ones(4)})

    taken = snapshot.take(mine)
    mine["x"].zero_()
    mine["a"][:] = 0

    assert taken["x"].tolist() == [1.0] * 100
    assert taken["a"].tolist() == [1.0] * 4
    assert taken["layers"][0]["w"].tolist() == torch.eye(3).tolist()


def test_a_second_one_while_the_first_is_written_is_refused() -> None:
    snapshot = Snapshot()
    first = snapshot.take(model())

    with pytest.raises(RuntimeError, match="while the last one is still being written"):
        snapshot.take({"x": torch.zeros(100)})

    assert snapshot.busy
    assert first["x"].tolist() == [1.0] * 100


def test_a_state_that_could_not_be_copied_leaves_it_free() -> None:
    class Vanished(torch.Tensor):
        def detach(self) -> Any:
            raise OSError("the device is gone")

    snapshot = Snapshot()

    with pytest.raises(OSError, match="the device is gone"):
        snapshot.take({"x": torch.ones(1).as_subclass(Vanished)})

    assert not snapshot.busy


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("prepared", [False, True])
def test_every_dtype_is_copied_bit_for_bit(dtype: str, prepared: bool) -> None:
    kind: torch.dtype = getattr(torch, dtype)
    raw = torch.randint(0, 2, (6 * kind.itemsize,), dtype=torch.uint8)
    x, snapshot = raw.view(kind).reshape(2, 3), Snapshot()
    if prepared:
        snapshot.prepare(x)

    taken = snapshot.take(x)

    assert (taken.dtype, taken.shape) == (kind, (2, 3))
    assert torch.equal(taken.reshape(-1).view(torch.uint8), raw)


@pytest.mark.parametrize(
    "x",
    [
        torch.arange(6.0).view(2, 3).t(),
        torch.ones(1).expand(4),
        torch.tensor([1 + 2j, 3 - 1j]).conj(),
        torch.nn.Parameter(torch.ones(2)),
        torch.empty(0, 3),
        torch.tensor(7),
    ],
)
def test_a_tensor_of_any_kind_is_copied_as_a_plain_contiguous_one(x: torch.Tensor) -> None:
    snapshot = Snapshot()
    snapshot.prepare(x)

    taken = snapshot.take(x)

    assert torch.equal(taken, x.detach())
    assert type(taken) is torch.Tensor
    assert taken.is_contiguous()
    assert not taken.requires_grad


trees = st.recursive(
    st.none() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


@given(trees, st.booleans())
def test_every_tree_is_taken_as_it_is(tree: Any, prepared: bool) -> None:
    snapshot = Snapshot()
    if prepared:
        snapshot.prepare(tree)

    assert snapshot.take(tree) == tree


@pytest.mark.parametrize(
    "value", [{1, 2}, torch.ones(2).to_sparse(), np.array([None])], ids=["set", "sparse", "object"]
)
def test_what_cannot_be_kept_is_refused_when_it_is_written(value: Any) -> None:
    snapshot = Snapshot()
    snapshot.prepare({"seen": value})

    taken = snapshot.take({"seen": value})

    with pytest.raises(TypeError, match=r"cannot be kept|does not travel"):
        state.pieces(taken)


def test_memory_that_a_state_needs_no_more_is_let_go() -> None:
    snapshot = Snapshot()
    snapshot.prepare({"x": torch.ones(10), "y": torch.ones(10)})
    before = snapshot.take({"y": torch.ones(10)})
    snapshot.release()

    snapshot.prepare({"x": torch.ones(10)})
    taken = snapshot.take({"y": torch.ones(10)})

    assert taken["y"].data_ptr() != before["y"].data_ptr()


@pytest.mark.gpu
@pytest.mark.parametrize("prepared", [False, True])
def test_what_lies_on_a_gpu_is_taken_to_the_cpu(prepared: bool) -> None:
    x, snapshot = torch.arange(1000.0, device="cuda"), Snapshot()
    if prepared:
        snapshot.prepare({"x": x})

    taken = snapshot.take({"x": x})["x"]
    x.zero_()

    assert taken.device.type == "cpu"
    assert taken.is_pinned() == prepared
    assert taken.tolist() == list(map(float, range(1000)))
