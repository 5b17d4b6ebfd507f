"""Values ⇄ bodies: msgpack for structure, raw parts for what is large. No pickle, ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgpack

from tether.actors import accelerator, forms, tensors
from tether.actors.assembly import Take
from tether.actors.extent import check_extent
from tether.actors.forms import TENSOR, heading, remember
from tether.actors.message import Body, Part
from tether.actors.plain import INLINE, malformed, unpack_plain
from tether.actors.press import Press, rebuilt
from tether.actors.records import fields_of, made_record

TUPLE, ARRAY, REF, GROUP, RECORD, INTEGER, COMPRESSED = 1, *range(3, 9)

_PLAIN = msgpack.Packer(strict_types=True)
"""For what needs no extension: it runs nobody's code, so nothing can come in its way."""
_ext: Callable[[tuple[int, bytes]], msgpack.ExtType] = partial(tuple.__new__, msgpack.ExtType)
"""Makes an extension without the checks, which cost more than all else of a small tensor."""

DEPTH = 120
"""How many tuples, records and groups may stand in one another: for each the decoder calls itself,
which takes some 40 kB of a stack that may be 8 MB."""

CROWD = 1024
"""Keys of a dict of which more than half may have the same hash."""
NO_MAKER: tuple[bytes, Callable[[bytes | memoryview], Any] | None] = b"", None
_makers = {0: NO_MAKER}
"""The head that came last in a content of so many bytes, and what makes the tensor of the rest."""


Records = Mapping[str, type]
"""Dataclasses and NamedTuples a handler's signature names, by class name."""


def nothing_lendable(_address: int) -> bool:
    """Have everything copied."""
    return False


def encode(
    value: Any,
    lendable: tensors.Lendable = nothing_lendable,
    take: Take | None = None,
    press: Press | None = None,
    take_on: tensors.TakeOn | None = None,
) -> Body:
    """Return a value as it travels: copied, but for tensors in memory that is lendable.

    Large copies are put in memory of `take`, those of what lies on a GPU in memory of `take_on`;
    `press` makes them smaller. Raises TypeError naming what does not travel.
    """
    encoder, packer = _begun(lendable, take)
    if press is not None:
        encoder.press = press
    encoder.take_on = take_on
    data = _packed(packer, value)
    body = Body(data, encoder.plain, parts=tuple(encoder.parts))
    if encoder.on_gpu is not None:
        body.fences = (accelerator.here.fence(encoder.on_gpu),)
    if press is not None:
        body.saving = press.end()
    encoder.end()
    if len(data) <= INLINE:  # a packer keeps the memory of the largest it has packed
        _idle.append((encoder, packer))
    return body


def decode(
    body: Body,
    *,
    device: str = "cpu",
    records: Records | None = None,
    ref: Callable[[str], Any] | None = None,
    group: Callable[[str, str], Any] | None = None,
    take: Take | None = None,
) -> Any:
    """Return the value of a body; raises ValueError when it is malformed.

    `ref` makes a handle of a name, and `group` a live group of a table and of who is left out;
    without `group` a live one comes out fixed, with the members it was sent with. Tensors that came
    compressed are put in memory of `take`.
    """
    data, parts = body.data, body.parts
    if not data and parts:  # structure so large that it came as the last part
        data, parts = bytes(parts[-1].memory), parts[:-1]
    try:
        if body.plain:
            return unpack_plain(data)
        if not parts and device == "cpu" and (known := forms.read(data)) is not None:
            return known
        value = _Decoder(parts, device, records or {}, ref, group, take).unpack(data)
        if not parts:
            forms.learn(data, value)
        return value
    except Exception as error:
        raise malformed(body, error) from error


def _mapped(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return a dict, unless its keys were chosen to have one hash: they would take n² steps."""
    if len(pairs) > CROWD and len({hash(key) for key, _ in pairs}) < len(pairs) // 2:
        raise ValueError(f"a dict of {len(pairs)} keys came, most of which have the same hash")
    return dict(pairs)


class _Encoder:
    """One value on its way out: collects the parts it meets."""

    __slots__ = ("depth", "lendable", "on_gpu", "parts", "plain", "press", "take", "take_on")

    def __init__(self) -> None:
        self.depth = 0
        self.parts: list[Part] = []
        self.end()

    def end(self) -> None:
        """Let go of all that belongs to one value."""
        self.plain = True  # until something has to be extended
        self.lendable: tensors.Lendable = nothing_lendable
        self.take: Take | None = None
        self.take_on: tensors.TakeOn | None = None
        self.press: Press | None = None
        self.on_gpu: Any = None
        self.parts.clear()

    def packer(self) -> msgpack.Packer:
        """Return a new packer: one cannot be used again while it is packing."""
        return msgpack.Packer(default=self.extended, strict_types=True)

    def pack(self, value: Any) -> bytes:
        """Return the content of an extension; one deeper than the decoder may go is none."""
        if self.depth == DEPTH:
            raise TypeError(_too_deep())
        self.depth += 1
        packed = _packed(self.packer(), value)
        self.depth -= 1
        return packed

    def extended(self, value: Any) -> msgpack.ExtType:
        """Return what msgpack does not know as an extension."""
        self.plain = False
        if self.press is not None and (pressed := self.press(value)) is not None:
            return self.part(COMPRESSED, *pressed)
        small = tensors.small(value, INLINE)
        if small is not None:
            return _ext((TENSOR, heading(*small) + small[2]))
        if type(value) is tuple:
            return msgpack.ExtType(TUPLE, self.pack(list(value)))
        if tensors.is_tensor(value):
            part = tensors.tensor_part(value, self.lendable, self.take, self.take_on)
            return self.part(TENSOR, *part)
        if tensors.is_array(value):
            return self.part(ARRAY, *tensors.array_part(value, self.take))
        return self.named(value)

    def named(self, value: Any) -> msgpack.ExtType:
        """Return what travels by its name, or by that of its class."""
        from tether.actors.group import Group, live_of
        from tether.actors.ref import is_ref, name_of

        if is_ref(value):
            return msgpack.ExtType(REF, name_of(value).encode())
        if isinstance(value, Group):
            names = [name_of(member) for member in value]
            live = live_of(value)
            return msgpack.ExtType(GROUP, self.pack([names, *live] if live else names))
        if isinstance(value, int) and type(value) is int:
            return msgpack.ExtType(INTEGER, str(value).encode())
        return msgpack.ExtType(RECORD, self.pack([type(value).__name__, fields_of(value)]))

    def part(
        self, code: int, dtype: str, shape: list[int], part: Part, *way: int
    ) -> msgpack.ExtType:
        content: int | bytes = len(self.parts)
        if part.nbytes and tensors.stays(part):  # however small: its bytes may not be there yet
            self.on_gpu = part.value
            self.parts.append(part)
        elif part.nbytes <= INLINE:
            content = bytes(tensors.raw(part))
        else:
            self.parts.append(part)
        return msgpack.ExtType(code, _PLAIN.pack([dtype, shape, content, *way]))


def _packed(packer: msgpack.Packer, value: Any) -> bytes:
    try:
        packed: bytes = packer.pack(value)
    except ValueError as error:
        if "recursion" not in str(error):
            raise
        raise TypeError(_too_deep()) from None
    return packed


def _too_deep() -> str:
    return (
        f"a value that is nested so deep does not travel: {DEPTH} tuples, records and groups in "
        "one another do, and 500 lists and dicts; one that holds itself never does"
    )


_idle: list[tuple[_Encoder, msgpack.Packer]] = []
"""Encoders that nobody uses now, each with its packer: one that has failed never comes back."""


def _begun(lendable: tensors.Lendable, take: Take | None) -> tuple[_Encoder, msgpack.Packer]:
    """Return an encoder nobody else uses: encoding may run code that encodes something else."""
    try:
        encoder, packer = _idle.pop()
    except IndexError:
        encoder = _Encoder()
        packer = encoder.packer()
    encoder.lendable, encoder.take = lendable, take
    return encoder, packer


class _Decoder:
    """One body on its way in."""

    __slots__ = ("depth", "device", "group", "parts", "records", "ref", "take")

    def __init__(
        self,
        parts: tuple[Part, ...],
        device: str,
        records: Records,
        ref: Callable[[str], Any] | None,
        group: Callable[[str, str], Any] | None,
        take: Take | None,
    ) -> None:
        self.parts = parts
        self.take = take
        self.device = device
        self.records = records
        self.ref = ref
        self.group = group
        self.depth = 0

    def unpack(self, data: bytes) -> Any:
        check_extent(data)
        return msgpack.unpackb(
            data, ext_hook=self.extended, object_pairs_hook=_mapped, strict_map_key=False
        )

    def inner(self, data: bytes) -> Any:
        """Return the content of an extension; too many in one another would overflow the stack."""
        if self.depth == DEPTH:
            raise ValueError(f"more than {DEPTH} extensions stand in one another")
        self.depth += 1
        value = self.unpack(data)
        self.depth -= 1
        return value

    def extended(self, code: int, data: bytes) -> Any:
        if code == TENSOR:
            return self.tensor(data)
        if code == REF:
            return self.actor(data.decode())
        if code == INTEGER:
            return int(data)
        inner = self.inner(data)
        if code == TUPLE:
            return tuple(inner)
        if code == GROUP:
            return self.members(inner)
        if code == RECORD:
            return self.record(*inner)
        if code == ARRAY:
            dtype, shape, content = inner
            return tensors.rebuilt_array(dtype, shape, self.part(content))
        if code == COMPRESSED:
            dtype, shape, content, number = inner
            part = self.part(content)
            return rebuilt(number, dtype, shape, part, self.device, self.take)
        raise ValueError(f"extension {code} is not one of this wire version")

    def tensor(self, data: bytes) -> Any:
        """Return a tensor; of one in the structure whose head is known only the bytes are read."""
        head, make = _makers.get(len(data), NO_MAKER)
        if make is not None and data.startswith(head):
            made = make(data[len(head) :])
            return made if self.device == "cpu" else made.to(self.device)
        dtype, shape, content = self.inner(data)
        made = tensors.rebuilt_tensor(dtype, shape, self.part(content), self.device)
        if isinstance(content, bytes) and (make := tensors.maker(made)) is not None:
            remember(_makers, len(data), (data[: len(data) - len(content)], make))
        return made

    def part(self, content: int | bytes) -> Part:
        if isinstance(content, bytes):
            return Part(len(content), memory=tensors.inline_memory(content))
        if not 0 <= content < len(self.parts):
            raise ValueError(f"part {content} is named, but {len(self.parts)} came")
        return self.parts[content]

    def actor(self, name: str) -> Any:
        if self.ref is None:
            raise ValueError(f"a handle on {name} came where no handle can be made")
        return self.ref(name)

    def members(self, inner: list[Any]) -> Any:
        """Return a group: fixed ones travel as names alone, live ones as names, table, without."""
        from tether.actors.group import Group

        match inner:
            case [list(names), str(table), str(without)]:
                if self.group is not None:
                    return self.group(table, without)
                inner = names
        return Group([self.actor(name) for name in inner])

    def record(self, name: str, fields: list[Any]) -> Any:
        if name not in self.records:
            raise ValueError(
                f"a {name} came, but the handler's signature names no such dataclass or NamedTuple"
            )
        return made_record(self.records[name], fields)
