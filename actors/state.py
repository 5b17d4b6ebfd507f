"""An actor's state as one safetensors file: tensors under readable names, the tree in metadata."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tether.actors import codec, tensors
from tether.actors.message import Body, Part
from tether.actors.storage import Piece

FORMAT = "2"
"""1 had no checksum."""
METADATA = "__metadata__"
OURS = frozenset({"format", "crc32", "tree"})
"""What metadata holds beside what a file is about."""
UNKNOWN = "0" * 8
"""Stands for the checksum while it is computed, over all of the file."""
NATIVE = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
}
"""Types every reader of safetensors knows; others are kept as bytes, their type in the tree."""
PLAIN = (type(None), bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Stored:
    """Stands in the tree for a tensor or array of the file."""

    name: str
    kind: str
    dtype: str
    shape: list[int]


@dataclass(frozen=True, slots=True)
class File:
    """A file that is whole: what it is about, and the state when it is asked for."""

    about: dict[str, str]
    tree: bytes
    spans: dict[str, tuple[int, int]]
    data: memoryview

    def state(self) -> Any:
        """Return the state, in memory of its own; raises ValueError when it contradicts itself."""
        try:
            tree = codec.decode(Body(self.tree), records={"Stored": Stored})
            return _lowered(tree, self.spans, self.data)
        except Exception as error:  # bytes may mislead the code they reach in any way
            raise ValueError(f"it is damaged: {error}") from error


def dump(state: Any, about: Mapping[str, str] | None = None) -> bytes:
    """Return a state (a tree of what may be kept) as the bytes of a safetensors file."""
    return b"".join(pieces(state, about))


def pieces(state: Any, about: Mapping[str, str] | None = None) -> list[Piece]:
    """Return the file of a state in pieces: a header, then its tensors' own memory, not copied.

    The tensors must not change until the pieces are written. `about` is kept beside the state.
    Raises TypeError naming what cannot be kept.
    """
    about = about or {}
    if not OURS.isdisjoint(about):
        raise ValueError(f"{min(OURS & about.keys())} in about is a word of the file's own")
    parts: dict[str, tuple[Stored, Part]] = {}
    tree = codec.encode(_lifted(state, (), parts)).data
    ours = {"format": FORMAT, "crc32": UNKNOWN, "tree": base64.b64encode(tree).decode()}
    head = _head({METADATA: {**ours, **about}}, parts)
    bodies = [tensors.raw(part) for _, part in parts.values()]
    return [_sealed(head, _checksum([head, *bodies])), *bodies]


def load(data: bytes) -> Any:
    """Return the state of a file that `dump` wrote; raises ValueError saying what is wrong."""
    return opened(data).state()


def opened(data: bytes) -> File:
    """Check that a file is whole, without torch; raises ValueError saying what is wrong with it."""
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < max(start, 8):
        raise ValueError(f"it is cut short: {len(data)} bytes are too few for its header")
    try:
        about, spans = _header(data[8:start])
        form, told = about["format"], about.get("crc32", "")
        tree = base64.b64decode(about.get("tree", ""))
    except Exception as error:  # bytes may mislead the code they reach in any way
        raise ValueError("it is damaged: its header cannot be read") from error
    _check_format(form)
    size = start + max((end for _, end in spans.values()), default=0)
    if len(data) < size:
        raise ValueError(f"it is cut short: {len(data)} of {size} bytes are there")
    body = memoryview(data)[start:]
    checksum = _checksum([data[:start].replace(_field(told), _field(UNKNOWN), 1), body])
    if checksum != told:
        raise ValueError(f"it is damaged: its checksum is {checksum}, not {told}")
    return File({key: about[key] for key in about if key not in OURS}, tree, spans, body)


def _header(text: bytes) -> tuple[dict[str, str], dict[str, tuple[int, int]]]:
    """Return the metadata, and where each tensor's bytes are."""
    header = json.loads(text)
    about = {str(key): str(value) for key, value in header.pop(METADATA).items()}
    offsets = {str(name): entry["data_offsets"] for name, entry in header.items()}
    return about, {name: (int(start), int(end)) for name, (start, end) in offsets.items()}


def _check_format(found: str) -> None:
    if found != FORMAT:
        age = "an older" if found.isdecimal() and int(found) < int(FORMAT) else "another"
        raise ValueError(f"it has format {found}, of {age} version; {FORMAT} is wanted")


def _head(header: dict[str, Any], parts: Mapping[str, tuple[Stored, Part]]) -> bytes:
    """Return size and header of a file: what is about all, then an entry for each tensor."""
    offset = 0
    for name, (stored, part) in parts.items():
        native = NATIVE.get(stored.dtype) if stored.kind == "tensor" else None
        shape = stored.shape if native else [part.nbytes]
        span = [offset, offset + part.nbytes]
        header[name] = {"dtype": native or "U8", "shape": shape, "data_offsets": span}
        offset += part.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head


def _field(checksum: str) -> bytes:
    # Only here do these quotes stand unescaped: whatever a state or `about` holds.
    return f'"crc32": "{checksum}"'.encode()


def _sealed(head: bytes, checksum: str) -> bytes:
    return head.replace(_field(UNKNOWN), _field(checksum), 1)


def _checksum(bodies: Iterable[Piece]) -> str:
    value = 0
    for body in bodies:
        value = zlib.crc32(body, value)
    return f"{value:08x}"


def _lifted(tree: Any, path: tuple[str, ...], parts: dict[str, tuple[Stored, Part]]) -> Any:
    """Return the tree with every tensor replaced by its name, and collect them."""
    where = ".".join(path) or "state"
    if isinstance(tree, dict):
        return {
            _plain(where, key): _lifted(value, (*path, str(key)), parts)
            for key, value in tree.items()
        }
    if type(tree) in {list, tuple}:
        items = [_lifted(value, (*path, str(i)), parts) for i, value in enumerate(tree)]
        return tuple(items) if type(tree) is tuple else items
    if tensors.is_tensor(tree):
        kind, (dtype, shape, part) = "tensor", tensors.tensor_part(tree, lambda _: True, None)
    elif tensors.is_array(tree):
        kind, (dtype, shape, part) = "array", _array_part(tree)
    else:
        return _plain(where, tree)
    while where in parts or where == METADATA:
        where += "_"
    stored = Stored(where, kind, dtype, shape)
    parts[where] = (stored, part)
    return stored


def _plain(where: str, value: Any) -> Any:
    if type(value) not in PLAIN:
        raise TypeError(
            f"{where}: a {type(value).__module__}.{type(value).__qualname__} cannot be kept; None, "
            "bool, int, float, str, bytes, list, tuple, dict, tensors and arrays can"
        )
    return value


def _array_part(array: Any) -> tuple[str, list[int], Part]:
    if array.flags.c_contiguous and array.dtype.kind in tensors.ARRAY_KINDS:
        return array.dtype.str, list(array.shape), Part(array.nbytes, value=array)
    return tensors.array_part(array, None)


def _lowered(tree: Any, spans: dict[str, tuple[int, int]], data: memoryview) -> Any:
    """Return the tree with every name replaced by its tensor."""
    if isinstance(tree, dict):
        return {key: _lowered(value, spans, data) for key, value in tree.items()}
    if type(tree) in {list, tuple}:
        items = [_lowered(value, spans, data) for value in tree]
        return tuple(items) if type(tree) is tuple else items
    if not isinstance(tree, Stored):
        return tree
    if tree.name not in spans:
        raise ValueError(f"it has no tensor {tree.name}, which its tree names")
    start, end = spans[tree.name]
    own = tensors.inline_memory(cast("bytes", data[start:end]))  # bytes() would copy once more
    part = Part(end - start, memory=own)
    if tree.kind == "tensor":
        return tensors.rebuilt_tensor(tree.dtype, tree.shape, part, "cpu")
    return tensors.rebuilt_array(tree.dtype, tree.shape, part)
