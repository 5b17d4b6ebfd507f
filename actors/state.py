"""An actor's state as one safetensors file: tensors under readable names, the tree in metadata."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from tether.actors import codec, tensors
from tether.actors.message import Body, Part

FORMAT = "1"
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


@dataclass(frozen=True, slots=True)
class Stored:
    """Stands in the tree for a tensor or array of the file."""

    name: str
    kind: str
    dtype: str
    shape: list[int]


def dump(state: Any) -> bytes:
    """Return a state (a tree of what travels in messages) as the bytes of a safetensors file."""
    parts: dict[str, tuple[Stored, Part]] = {}
    tree = codec.encode(_lifted(state, (), parts)).data
    header: dict[str, Any] = {
        "__metadata__": {"format": FORMAT, "tree": base64.b64encode(tree).decode()}
    }
    offset = 0
    for name, (stored, part) in parts.items():
        native = NATIVE.get(stored.dtype) if stored.kind == "tensor" else None
        shape = stored.shape if native else [part.nbytes]
        span = [offset, offset + part.nbytes]
        header[name] = {"dtype": native or "U8", "shape": shape, "data_offsets": span}
        offset += part.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    bodies = (tensors.raw(part) for _, part in parts.values())
    return b"".join([len(head).to_bytes(8, "little"), head, *bodies])


def load(data: bytes) -> Any:
    """Return the state of a file that `dump` wrote; raises ValueError when it is damaged."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__")
        if metadata["format"] != FORMAT:
            raise ValueError(f"format {metadata['format']} is not known here, only {FORMAT}")
        tree = codec.decode(Body(base64.b64decode(metadata["tree"])), records={"Stored": Stored})
        spans = {name: entry["data_offsets"] for name, entry in header.items()}
        return _lowered(tree, spans, memoryview(data)[8 + size :])
    except Exception as error:  # damaged bytes may mislead the code they reach in any way
        raise ValueError(f"a state of {len(data)} bytes is damaged: {error!r}") from error


def _lifted(tree: Any, path: tuple[str, ...], parts: dict[str, tuple[Stored, Part]]) -> Any:
    """Return the tree with every tensor replaced by its name, and collect them."""
    if isinstance(tree, dict):
        return {key: _lifted(value, (*path, str(key)), parts) for key, value in tree.items()}
    if type(tree) in {list, tuple}:
        items = [_lifted(value, (*path, str(i)), parts) for i, value in enumerate(tree)]
        return tuple(items) if type(tree) is tuple else items
    if tensors.is_tensor(tree):
        kind, (dtype, shape, part) = "tensor", tensors.tensor_part(tree, lambda _: True, None)
    elif tensors.is_array(tree):
        kind, (dtype, shape, part) = "array", tensors.array_part(tree)
    else:
        return tree
    name = ".".join(path) or "state"
    while name in parts:
        name += "_"
    stored = Stored(name, kind, dtype, shape)
    parts[name] = (stored, part)
    return stored


def _lowered(tree: Any, spans: dict[str, list[int]], data: memoryview) -> Any:
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
    part = Part(end - start, memory=tensors.inline_memory(bytes(data[start:end])))
    if tree.kind == "tensor":
        return tensors.rebuilt_tensor(tree.dtype, tree.shape, part, "cpu")
    return tensors.rebuilt_array(tree.dtype, tree.shape, part)
