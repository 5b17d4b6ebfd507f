"""Bodies of one small tensor and nothing else: those of one dtype and shape differ in its bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import msgpack

from tether.actors import tensors
from tether.actors.message import Body
from tether.actors.plain import INLINE

TENSOR = 2
"""The extension that a tensor is."""
FORMS = 1024
"""How many forms are remembered each way."""
STACK = 1 << 20
"""Bytes of a stack of tensors that is taken apart at once."""

_PACKER = msgpack.Packer(strict_types=True)


class Form(NamedTuple):
    """What stands around the bytes of a tensor, and what makes one of them, or a stack of many."""

    head: bytes
    tail: bytes
    call: bool
    """Whether it is the only argument of a call, and not an answer."""
    make: Callable[[bytes | memoryview], Any]
    stack: Callable[[list[bytes], int, Any], Any]
    like: Any
    """A tensor of this form."""


_heads: dict[tuple[str, tuple[int, ...]], bytes] = {}
"""What stands before the bytes of a small tensor in its extension, by dtype and shape."""
_ends: dict[tuple[str, tuple[int, ...], bool], tuple[bytes, bytes]] = {}
"""What stands around the bytes of a tensor, by dtype and shape, in calls and in answers."""
_known: dict[int, Form] = {}
"""The form that came last in a body of so many bytes."""


def body_of(value: Any, *, call: bool) -> Body | None:
    """Return the body of a small, plain tensor; None of anything else."""
    small = tensors.small(value, INLINE)
    if small is None:
        return None
    dtype, shape, data = small
    head, tail = _around(dtype, shape, len(data), call)
    return Body(b"".join((head, data, tail)))


def rows(stack: Any) -> list[Body] | None:
    """Return the bodies of small, plain tensors that lie in one, each as an answer; else None."""
    small = tensors.small(stack, STACK)
    if small is None:
        return None
    dtype, shape, data = small
    size = len(data) // shape[0] if data and shape else 0
    if not 0 < size <= INLINE:
        return None
    head, _ = _around(dtype, shape[1:], size, False)
    return [Body(head + data[start : start + size]) for start in range(0, len(data), size)]


def read(data: bytes) -> Any:
    """Return what a body of a known form holds; None when its form is not known."""
    form = _known.get(len(data))
    if form is None or not (data.startswith(form.head) and data.endswith(form.tail)):
        return None
    made = form.make(memoryview(data)[len(form.head) : len(data) - len(form.tail)])
    return [[made], {}] if form.call else made


def stacked(bodies: list[Body], room: Callable[[Any], Any]) -> Any:
    """Return the tensors of calls that are all of one known form, in one; None where they are not.

    `room` gives the memory for such tensors, first dimension = calls, and maybe for more.
    """
    size = len(bodies[0].data)
    form = _known.get(size)
    if form is None or not form.call:
        return None
    head, tail = form.head, form.tail
    for body in bodies:
        data = body.data
        alike = len(data) == size and data.startswith(head) and data.endswith(tail)
        if body.plain or not alike:
            return None
    stack = room(form.like)[: len(bodies)]
    form.stack([body.data for body in bodies], len(head), stack)
    return stack


def learn(data: bytes, value: Any) -> None:
    """Remember the form of a body that was decoded, if it has one."""
    match value:
        case [[tensor], {**others}] if not others:
            call = True
        case tensor:
            call = False
    torch = sys.modules.get("torch")
    if torch is None or type(tensor) is not torch.Tensor or tensor.nbytes > INLINE:
        return
    make = tensors.maker(tensor)
    if make is None:
        return
    dtype = str(tensor.dtype).removeprefix("torch.")
    head, tail = _around(dtype, tuple(tensor.shape), tensor.nbytes, call)
    whole = len(head) + tensor.nbytes + len(tail) == len(data)
    if whole and data.startswith(head) and data.endswith(tail):
        like = tensor.new_zeros(()).expand(tensor.shape)  # which takes the memory of one number
        form = Form(head, tail, call, make, tensors.stacker(like), like)
        remember(_known, len(data), form)


def heading(dtype: str, shape: tuple[int, ...], content: bytes) -> bytes:
    """Return what stands before the bytes of a small tensor in its extension."""
    known = _heads.get((dtype, shape))
    if known is None:
        packed: bytes = _PACKER.pack([dtype, list(shape), content])
        known = remember(_heads, (dtype, shape), packed[: len(packed) - len(content)])
    return known


def _around(dtype: str, shape: tuple[int, ...], size: int, call: bool) -> tuple[bytes, bytes]:
    ends = _ends.get((dtype, shape, call))
    if ends is None:
        content = bytes(size)
        extension = msgpack.ExtType(TENSOR, heading(dtype, shape, content) + content)
        whole: bytes = _PACKER.pack([[extension], {}] if call else extension)
        tail = _PACKER.pack({}) if call else b""
        ends = whole[: len(whole) - size - len(tail)], tail
        remember(_ends, (dtype, shape, call), ends)
    return ends


def remember(forms: dict[Any, Any], key: Any, form: Any) -> Any:
    """Keep a form, and never too many; return it."""
    if len(forms) >= FORMS:
        forms.clear()
    forms[key] = form
    return form
