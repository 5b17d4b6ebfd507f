"""Values that msgpack knows by itself ⇄ bodies: most of what actors say to each other is so."""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec

from tether.actors.extent import SMALL, check_extent
from tether.actors.message import Body

INLINE = 64 << 10
"""Bytes up to which a tensor rides inside the structure: below it a part costs more than a copy."""
LIBRARY = msgpack.UnpackException, msgspec.MsgspecError
"""What the decoders raise by themselves."""

NATIVE = frozenset({type(None), bool, int, float, str, bytes, list, dict})
"""Types that msgpack knows by itself: to try a value of another one in vain costs an exception."""

SCALARS = NATIVE - {list, dict}
"""Those that hold nothing: of these msgspec, which lets more types in, makes the same bytes."""

_encode = msgspec.msgpack.Encoder().encode
_packer = [msgpack.Packer(strict_types=True)]
"""The one that packs now: it runs nobody's code, so nothing can come in its way."""


def _no_extension(code: int, _data: memoryview) -> Any:
    raise ValueError(f"extension {code} came in a plain body, which holds none")


_decode = msgspec.msgpack.Decoder(ext_hook=_no_extension).decode


def plain_body(value: Any) -> Body | None:
    """Return a value that msgpack knows by itself as it travels; None for any other."""
    try:
        if type(value) in SCALARS:
            return Body(_encode(value), True)
        packed: bytes = _packer[0].pack(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if len(packed) > INLINE:  # a packer keeps the memory of the largest it has packed
        _packer[0] = msgpack.Packer(strict_types=True)
    return Body(packed, True)


def plain_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Body | None:
    """Return arguments that msgpack knows by itself as they travel; None for any other."""
    if kwargs:
        return plain_body([list(args), kwargs])
    for value in args:
        if type(value) not in SCALARS:
            return plain_body([list(args), kwargs])
    try:
        return Body(_encode((args, kwargs)), True)
    except (ValueError, OverflowError):
        return None


def unpack_plain(data: bytes) -> Any:
    """Return the value of a plain body's bytes; raises ValueError, or what the decoder raises."""
    check_extent(data)
    return _decode(data)


def plain_value(body: Body) -> Any:
    """Return what a plain body holds; raises ValueError when it is malformed."""
    try:
        return unpack_plain(body.data)
    except Exception as error:
        raise malformed(body, error) from error


def plain_arguments(body: Body) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that a plain body holds; raises ValueError when it is malformed."""
    data = body.data
    try:
        if len(data) > SMALL:  # as `unpack_plain`, whose call costs a tenth of it all
            check_extent(data)
        args, kwargs = _decode(data)
    except Exception as error:
        raise malformed(body, error) from error
    return args, kwargs


def malformed(body: Body, error: Exception) -> ValueError:
    """Return what is wrong with a body that could not be decoded."""
    if isinstance(error, ValueError) and not isinstance(error, LIBRARY):
        return error
    return ValueError(f"a body of {len(body.data)} bytes is malformed: {error!r}")
