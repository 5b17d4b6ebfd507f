"""Tensors of every dense dtype and arrays of numbers come back bit for bit."""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from tests.actors.pretend import Pretend
from tether.actors import codec, tensors
from tether.actors.memory import Pool
from tether.actors.message import Part
from tether.actors.segments import Segments

DTYPES = sorted(name for name in tensors.DTYPES if hasattr(torch, name))


def back(value: Any) -> Any:
    """Return a value as it comes from another process."""
    body = codec.encode(value)
    for part in body.parts:
        part.memory = np.frombuffer(bytearray(tensors.raw(part)), np.uint8)
        part.value = None
    return codec.decode(body)


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def random_tensor(dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    kind: torch.dtype = getattr(torch, dtype)
    size = int(np.prod(shape)) * kind.itemsize
    raw = torch.randint(0, 2 if dtype == "bool" else 256, (size,), dtype=torch.uint8)
    return raw.view(kind).reshape(shape)


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape_comes_back_bit_for_bit(dtype: str) -> None:
    for shape in [(), (0,), (3,), (2, 0, 3), (40, 50, 10)]:
        tensor = random_tensor(dtype, shape)

        again = back(tensor)

        assert (again.dtype, again.shape) == (tensor.dtype, tensor.shape)
        assert bits(again) == bits(tensor), shape


def test_every_dense_dtype_of_torch_travels_or_is_quantized_or_a_fraction_of_a_byte() -> None:
    kinds = {
        str(v).removeprefix("torch.") for v in vars(torch).values() if isinstance(v, torch.dtype)
    }
    left = {name for name in kinds - tensors.DTYPES if not name.startswith(("q", "bits"))}

    assert {name for name in left if not name.lstrip("u").startswith("int")} == set()
    assert all(int(name.lstrip("u").removeprefix("int")) < 8 for name in left)


@pytest.mark.parametrize("size", [10, 200])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.t(),
        lambda x: x[::2, 1:],
        lambda x: x[0].expand(7, -1),
        lambda x: x.clone().requires_grad_(),
        lambda x: torch.complex(x, x).conj(),
        lambda x: torch.complex(x, x).conj().imag,
        torch.nn.Parameter,
    ],
    ids=["transposed", "strided", "expanded", "grad", "conjugated", "negated", "parameter"],
)
def test_tensors_arrive_detached_and_contiguous(make: Any, size: int) -> None:
    tensor = make(torch.arange(float(size * size)).reshape(size, size))

    for again in (back(tensor), codec.decode(codec.encode(tensor))):
        assert torch.equal(again, tensor.detach())
        assert again.is_contiguous()
        assert not again.requires_grad


@pytest.mark.parametrize(
    "make", [lambda: torch.eye(3).to_sparse(), lambda: torch.quantize_per_tensor(
        torch.ones(2), 0.1, 0, torch.qint8)], ids=["sparse", "quantized"]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_a_tensor_that_is_not_dense_does_not_travel(make: Any) -> None:
    with pytest.raises(TypeError, match=r"tensor of torch\..* does not travel; a dense one does"):
        codec.encode(make())


@pytest.mark.parametrize("dtype", ["?", "i1", "<u2", ">i4", "<f2", "<f8", "<c16"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (80, 90)], ids=str)
def test_arrays_of_numbers_come_back(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)

    again = back(array)

    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    assert np.array_equal(again, array)


def test_an_array_is_copied_in_c_order() -> None:
    array = np.asfortranarray(np.arange(20_000.0).reshape(100, 200))

    again = codec.decode(codec.encode(array))
    array[:] = 0

    assert again.flags.c_contiguous
    assert again[99, 199] == 19_999


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["a"]), np.array([b"x"])])
def test_an_array_of_anything_else_does_not_travel(array: Any) -> None:
    with pytest.raises(TypeError, match=r"an array of dtype .* does not travel; one of bool, int"):
        codec.encode(array)


@pytest.mark.parametrize("dtype", ["object", "|O", "f4,f4", "<U3"])
def test_an_array_of_a_dtype_that_does_not_travel_is_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match=r"an array of dtype .* is announced"):
        tensors.rebuilt_array(dtype, [1], Part(8, memory=tensors.inline_memory(b"12345678")))


def test_a_received_tensor_can_be_written() -> None:
    again = back(torch.zeros(3))
    again += 1

    assert again.tolist() == [1, 1, 1]


def test_neither_tensor_nor_array_is_anything_else() -> None:
    assert not tensors.is_tensor([1])
    assert not tensors.is_array(torch.ones(1))
    assert tensors.is_tensor(torch.ones(1))
    assert tensors.is_array(np.ones(1))


def test_large_copies_lie_in_the_memory_that_is_given() -> None:
    taken: list[int] = []

    def take(nbytes: int) -> Any:
        taken.append(nbytes)
        return np.empty(nbytes, np.uint8)

    codec.encode([torch.zeros(1 << 20), torch.zeros(8192)], take=take)

    assert taken == [4 << 20]


def test_a_small_plain_tensor_is_its_dtype_shape_and_bytes() -> None:
    tensor = torch.arange(6, dtype=torch.int16).reshape(2, 3)

    assert tensors.small(tensor, 12) == ("int16", (2, 3), bits(tensor))
    assert tensors.small(torch.ones(3).requires_grad_(), 12) == (
        "float32",
        (3,),
        bits(torch.ones(3)),
    )


@pytest.mark.parametrize(
    "value",
    [
        [1.0],
        np.ones(3),
        torch.ones(4),
        torch.nn.Parameter(torch.ones(3)),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(3, dtype=torch.bool),
        torch.ones(1, dtype=torch.complex64).conj(),
        torch.eye(1).to_sparse(),
        torch.empty(3, device="meta"),
    ],
    ids=["list", "array", "large", "parameter", "bfloat16", "bool", "conj", "sparse", "meta"],
)
def test_what_is_not_small_and_plain_goes_another_way(value: Any) -> None:
    assert tensors.small(value, 12) is None


@pytest.mark.parametrize("dtype", sorted(tensors.NUMPY_DTYPES))
def test_a_maker_makes_tensors_alike_of_their_bytes(dtype: str) -> None:
    for shape in [(), (3,), (2, 3), (1, 1)]:
        like = random_tensor(dtype, shape)
        make = tensors.maker(like)
        assert make is not None

        made = make(bits(like))

        assert (made.dtype, made.shape, made.stride()) == (like.dtype, like.shape, like.stride())
        assert bits(made) == bits(like), shape


@pytest.mark.parametrize("like", [torch.ones(2, dtype=torch.bfloat16), torch.ones(2, 0)], ids=str)
def test_there_is_no_maker_of_what_numpy_does_not_know_or_is_empty(like: torch.Tensor) -> None:
    assert tensors.maker(like) is None


@pytest.mark.parametrize(
    "shape",
    [["a", 2**40], [[0], 2**40], [1.5], [True], "abc", 7, [2] * 65],
    ids=lambda x: str(x)[:9],
)
def test_what_is_no_shape_is_refused_before_it_is_multiplied(shape: Any) -> None:
    part = Part(4, memory=np.zeros(4, np.uint8))
    tracemalloc.start()

    for rebuilt in (partial(tensors.rebuilt_tensor, device="cpu"), tensors.rebuilt_array):
        with pytest.raises(ValueError, match="came where the shape of a tensor belongs"):
            rebuilt("float32", shape, part)

    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_tensor_on_a_gpu_is_copied_there_or_lent(gpu: Pretend) -> None:
    pool = Pool(Segments())
    x = pool.take_on("gpu", 2000)
    assert x is not None
    x = x.view(torch.bfloat16)

    *_, lent = tensors.tensor_part(x, pool.owns, pool.take, pool.take_on)
    *_, copied = tensors.tensor_part(x[::2], pool.owns, pool.take, pool.take_on)
    *_, alone = tensors.tensor_part(x, lambda _: False, pool.take, lambda *_: None)
    *_, off = tensors.tensor_part(x, lambda _: False, pool.take)

    assert (lent.address, lent.value.data_ptr()) == (x.data_ptr(), x.data_ptr())
    assert pool.shared(copied.value.data_ptr()) is not None
    assert [pool.shared(part.value.data_ptr()) for part in (alone, off)] == [None, None]


def test_what_came_goes_up_to_a_gpu_and_is_read_until_a_fence(gpu: Pretend) -> None:
    pool = Pool(Segments())
    memory = pool.take(400_000)
    torch.from_numpy(memory).view(torch.float32).fill_(3)
    part = Part(400_000, memory=memory)
    gpu.work()

    x = tensors.rebuilt_tensor("float32", [100_000], part, "gpu")
    waits = [fence.passed for fence in tensors.unread((part, Part(4)))]
    gpu.finish()

    assert waits == [False]
    assert x.sum() == 300_000
    assert gpu.raised == 400_000


def test_what_came_on_a_gpu_is_read_until_the_gpu_is_done(gpu: Pretend) -> None:
    part = Part(4, memory=torch.zeros(4, dtype=torch.uint8))
    gpu.work()

    assert [fence.passed for fence in tensors.unread((part,))] == [False]
    assert tensors.unread((Part(4), Part(4, memory=np.zeros(4, np.uint8)))) == ()


def test_bytes_on_a_gpu_that_nobody_staged_are_fetched_at_once(gpu: Pretend) -> None:
    x = torch.ones(3, dtype=torch.bfloat16)

    assert bytes(tensors.raw(Part(6, value=x))) == bytes(x.view(torch.uint8).numpy())
