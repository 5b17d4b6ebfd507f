"""Tensors and arrays as raw bytes: the one place that knows torch and numpy, met lazily."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from tether.actors import accelerator
from tether.actors.assembly import Take
from tether.actors.message import Part

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tether.actors.accelerator import Fence
    from tether.actors.region import Region

Lendable = Callable[[int], bool]
"""Whether memory that begins at this address may be read in place instead of being copied."""
TakeOn = Callable[[Any, int], "Tensor | None"]
"""Gives so many bytes of a device's transport memory, as a flat tensor; None where it has none."""

DTYPES = frozenset(
    {
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
        *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
        "float4_e2m1fn_x2",
    }
)
NUMPY_DTYPES = DTYPES & {
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
}
"""Those that numpy has too, by the same name: it is the faster way from a tensor to its bytes.

Without bool: a copy by torch makes every byte of it 0 or 1, one by numpy does not.
"""
MOST_DIMENSIONS = 64
"""What torch and numpy have at most."""
ARRAY_KINDS = "biufc"
WORTH_REUSE = 64 << 10
"""Bytes from which a copy is put in reused memory: malloc maps fresh pages for larger ones."""


def is_tensor(value: object) -> bool:
    """Tell a torch tensor, without importing torch for it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: object) -> bool:
    """Tell a numpy array, without importing numpy for it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def tensor_part(
    tensor: Tensor, lendable: Lendable, take: Take | None, take_on: TakeOn | None = None
) -> tuple[str, list[int], Part]:
    """Return dtype, shape and the part of a tensor: lent in place, or a copy in memory of `take`.

    With `take_on` one that lies on a GPU stays there. Raises TypeError for tensors that are not
    dense or have a dtype of no fixed width.
    """
    import torch

    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout is not torch.strided or dtype not in DTYPES or tensor.is_quantized:
        raise TypeError(
            f"a {tensor.layout} tensor of {tensor.dtype} does not travel; a dense one does: "
            "send its parts, or .to_dense()"
        )
    address = 0
    sent = tensor.detach()
    on_gpu = take_on if accelerator.here.holds(sent) else None
    if (on_gpu or sent.device.type == "cpu") and sent.is_contiguous() and _plain(sent):
        start = sent.untyped_storage().data_ptr()
        address = start if lendable(start) else 0
    if not address:
        sent = _copied_on(sent, on_gpu) if on_gpu else _copied(sent, take)
    return dtype, list(tensor.shape), Part(sent.nbytes, value=sent, address=address)


def small(value: Any, limit: int) -> tuple[str, tuple[int, ...], bytes] | None:
    """Return dtype, shape and bytes of a tensor that is small and plain; None of anything else."""
    torch = sys.modules.get("torch")
    if torch is None or type(value) is not torch.Tensor:
        return None
    name = _numpy_name(value.dtype)
    try:
        if name is None or value.nbytes > limit:
            return None
        array = (value.detach() if value.requires_grad else value).numpy()
    except (TypeError, RuntimeError):  # it is not dense, conjugated or on another device
        return None
    return name, array.shape, array.tobytes()


@cache
def _numpy_name(dtype: torch.dtype) -> str | None:
    name = str(dtype).removeprefix("torch.")
    return name if name in NUMPY_DTYPES else None


def maker(like: Tensor) -> Callable[[bytes | memoryview], Tensor] | None:
    """Return what makes tensors of this dtype and shape from their bytes, if numpy knows how."""
    name = _numpy_name(like.dtype)
    if name is None or not like.numel():
        return None
    import numpy as np
    import torch

    kind, numpy_kind, shape = like.dtype, np.dtype(name), tuple(like.shape)
    if len(shape) == 1:
        return lambda data: torch.frombuffer(bytearray(data), dtype=kind)
    from_numpy = torch.from_numpy
    return lambda data: from_numpy(np.ndarray(shape, numpy_kind, bytearray(data)))


def stacker(like: Tensor) -> Callable[[list[bytes], int, Tensor], Any]:
    """Return what lays tensors like this one into one: the bytes of each, from a place on."""
    import numpy as np

    kind, shape = np.dtype(str(like.dtype).removeprefix("torch.")), (1, *like.shape)

    def stack(data: list[bytes], start: int, out: Tensor) -> Any:
        return np.concatenate(
            [np.ndarray(shape, kind, each, start) for each in data], out=out.numpy()
        )

    return stack


def _plain(tensor: Tensor) -> bool:
    return not (tensor.is_conj() or tensor.is_neg())


def _copied(tensor: Tensor, take: Take | None) -> Tensor:
    import torch

    if take is None or tensor.nbytes < WORTH_REUSE:
        copy = torch.empty(tensor.shape, dtype=tensor.dtype)
    else:
        memory = torch.from_numpy(take(tensor.nbytes))
        copy = memory[: tensor.nbytes].view(tensor.dtype).view(tensor.shape)
    return copy.copy_(tensor.resolve_conj().resolve_neg())


def _copied_on(tensor: Tensor, take_on: TakeOn) -> Tensor:
    """Return a copy on the same GPU, begun in the stream that is current."""
    import torch

    room = take_on(tensor.device, tensor.nbytes) if tensor.nbytes else None
    if room is None:
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    else:
        copy = room[: tensor.nbytes].view(tensor.dtype).view(tensor.shape)
    return copy.copy_(tensor.resolve_conj().resolve_neg())


def stays(part: Part) -> bool:
    """Tell whether the value of a part lies on a GPU."""
    return is_tensor(part.value) and accelerator.here.holds(part.value)


def stage(part: Part, after: Fence, take: Take) -> Fence:
    """Begin to copy a value on a GPU, written before a fence, to the host; return the fence behind.

    The copy goes to memory of `take`; where that is nobody else's, to such as GPUs know.
    """
    import torch

    if part.fence is None:
        memory = take(part.nbytes) if part.nbytes >= WORTH_REUSE else None
        region = None if memory is None else region_of(memory)
        room = accelerator.here.pinned(part.nbytes) if region is None else torch.from_numpy(memory)
        part.host = room[: part.nbytes]
        part.fence = accelerator.here.down(part.value, after, part.host, region)
    return part.fence


def region_of(memory: Any) -> Region | None:
    """Return the shared memory that an array of bytes lies in, if it does."""
    return getattr(memory.base, "region", None)


def array_part(array: Any, take: Take | None) -> tuple[str, list[int], Part]:
    """Return dtype, shape and the part of an array, copied; raise TypeError for Python objects."""
    import numpy as np

    if array.dtype.kind not in ARRAY_KINDS:
        raise TypeError(
            f"an array of dtype {array.dtype} does not travel; one of bool, int, uint, float or "
            "complex does"
        )
    if take is None or array.nbytes < WORTH_REUSE:
        sent = np.empty(array.shape, array.dtype)
    else:
        sent = take(array.nbytes).view(array.dtype).reshape(array.shape)
    np.copyto(sent, array)
    return sent.dtype.str, list(sent.shape), Part(sent.nbytes, value=sent)


def raw(part: Part) -> memoryview:
    """Return the bytes of a part, in place; of one on a GPU, those of its copy."""
    if not part.nbytes:
        return memoryview(b"")
    value = bearer(part)
    if is_tensor(value):
        import torch

        value = value.cpu()  # itself, unless nobody foresaw that it would be needed here
        value = value.reshape(-1).view(torch.uint8).numpy()
    else:
        value = value.reshape(-1).view("u1")
    return memoryview(value).cast("B")


def bearer(part: Part) -> Any:
    """Return the tensor or array that has the bytes of a part, for the host to read."""
    if part.host is not None:
        return part.host
    return part.memory if part.value is None else part.value


def place(value: Any) -> tuple[int, int]:
    """Return the address at which the memory begins that a value lies in, and how far in it is."""
    if is_tensor(value):
        address: int = value.untyped_storage().data_ptr()
        return address, value.data_ptr() - address
    return value.ctypes.data, 0


def array_at(base: Any) -> Any:
    """Return the array over the memory an object stands for, which lives as long as the array."""
    import numpy as np

    return np.asarray(base)


def rebuilt_tensor(dtype: str, shape: list[int], part: Part, device: str) -> Tensor:
    """Return the tensor a part stands for, on `device`; raise ValueError if it lies."""
    import torch

    if dtype not in DTYPES or not hasattr(torch, dtype):
        raise ValueError(f"a tensor of dtype {dtype!r} is announced, which torch does not have")
    if part.value is not None:
        return part.value.detach().to(device)  # type: ignore[no-any-return]
    kind: torch.dtype = getattr(torch, dtype)
    _check_size(shape, kind.itemsize, part.nbytes)
    if is_tensor(part.memory):
        return part.memory[: part.nbytes].view(kind).view(shape).to(device)  # type: ignore[no-any-return]
    came = torch.from_numpy(part.memory)[: part.nbytes].view(kind).view(shape)
    if device == "cpu":
        return came
    moved, part.fence = accelerator.here.up(came, device, region_of(part.memory))
    return moved


def unread(parts: tuple[Part, ...]) -> tuple[Fence, ...]:
    """Return the fences before which a GPU may still read what came in these parts."""
    copied = [part.fence for part in parts if part.fence is not None and part.value is None]
    on_gpu = next((part.memory for part in parts if is_tensor(part.memory)), None)
    return (*copied, accelerator.here.fence(on_gpu)) if on_gpu is not None else tuple(copied)


def rebuilt_array(dtype: str, shape: list[int], part: Part) -> Any:
    """Return the array a part stands for; raise ValueError if it lies."""
    import numpy as np

    if part.value is not None:
        return part.value.view()
    kind = np.dtype(dtype)
    if kind.kind not in ARRAY_KINDS:
        raise ValueError(f"an array of dtype {dtype!r} is announced, which does not travel")
    _check_size(shape, kind.itemsize, part.nbytes)
    return part.memory[: part.nbytes].view(kind).reshape(shape)


def _check_size(shape: list[int], itemsize: int, nbytes: int) -> None:
    count = itemsize * count_of(shape)
    if count != nbytes or any(size < 0 for size in shape):
        raise ValueError(
            f"shape {shape} of {itemsize}-byte items needs {count} bytes, not {nbytes}"
        )


def count_of(shape: list[int]) -> int:
    """Return the product of a shape that came; raise ValueError if it is none.

    Multiplied by a number, a text or a list would become as large as its sender likes.
    """
    numbers = isinstance(shape, list) and all(type(size) is int for size in shape)
    if not numbers or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"{shape!r:.80} came where the shape of a tensor belongs")
    return math.prod(shape)


def inline_memory(data: bytes) -> Any:
    """Return small received bytes as writable memory of their own."""
    import numpy as np

    return np.frombuffer(bytearray(data or b"\0"), np.uint8)
