"""Annotations as values: how they are written, and which of them fit each other."""

from __future__ import annotations

import collections.abc
import types
from dataclasses import InitVar
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from tether.actors.handlers import handlers
from tether.actors.ref import Ref

REF: Any = Ref
"""The run-time class of handles; type checkers take `Ref` for an annotation only."""

ARRAYS = {
    list: "list",
    tuple: "tuple",
    collections.abc.Sequence: "list",
    collections.abc.MutableSequence: "list",
    collections.abc.Collection: "list",
    collections.abc.Iterable: "list",
}
TABLES = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def bare(hint: Any) -> Any:
    """Return a hint without what says nothing about values: Annotated, Final, NewType, aliases."""
    if isinstance(hint, InitVar):
        return bare(hint.type)
    if isinstance(hint, TypeVar):
        return bare(hint.__bound__) if hint.__bound__ else Any
    if hasattr(hint, "__supertype__"):
        return bare(hint.__supertype__)
    if type(hint).__name__ == "TypeAliasType":
        return bare(hint.__value__)
    if get_origin(hint) in (Annotated, Final):
        return bare(get_args(hint)[0])
    return Any if hint is object else hint


def choices(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the hint alone."""
    hint = bare(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(choice for member in get_args(hint) for choice in choices(member))
    return (hint,)


def head(hint: Any) -> Any:
    """Return the class in front of the brackets: Ref for `Ref[Center]`."""
    hint = bare(hint)
    return get_origin(hint) or hint


def inner(hint: Any, position: int = 0) -> Any:
    """Return what stands in the brackets at a position, Any where nothing does."""
    arguments = get_args(bare(hint))
    return arguments[position] if position < len(arguments) else Any


def is_device(hint: Any) -> bool:
    """Whether a hint is torch.device, told without importing torch."""
    return (getattr(hint, "__module__", ""), getattr(hint, "__qualname__", "")) == (
        "torch",
        "device",
    )


def shown(hint: Any) -> str:
    """Return a hint as people write it: `Ref[Center]`, `int | None`."""
    members = choices(hint)
    if len(members) > 1:
        return " | ".join(shown(member) for member in members)
    (hint,) = members
    if hint is None or hint is type(None):
        return "None"
    if hint is Any:
        return "Any"
    if hint is Ellipsis:
        return "..."
    if get_origin(hint) is Literal:
        return f"Literal[{', '.join(repr(choice) for choice in get_args(hint))}]"
    if isinstance(hint, list):
        return f"[{', '.join(shown(item) for item in hint)}]"
    name = str(getattr(head(hint), "__name__", head(hint)))
    arguments = get_args(hint)
    return f"{name}[{', '.join(map(shown, arguments))}]" if arguments else name


def article(name: str) -> str:
    """Return a name behind "a" or "an"."""
    return f"{'an' if name[:1] in 'AEIOUaeio' else 'a'} {name}"


def is_a(cls: type, wanted: Any) -> bool:
    """Whether actors of `cls` can stand where `wanted` is: a class, union or protocol."""
    return any(_is_one(cls, head(choice)) for choice in choices(wanted))


def _is_one(cls: type, wanted: Any) -> bool:
    if wanted is Any or not isinstance(wanted, type):
        return True
    if getattr(wanted, "_is_protocol", False):
        return handlers(wanted).keys() <= handlers(cls).keys()
    return issubclass(cls, wanted)


def assignable(source: Any, target: Any) -> bool:
    """Whether what a factory gives can stand where `target` is; in doubt it can."""
    return all(any(_fits(one, other) for other in choices(target)) for one in choices(source))


def _fits(source: Any, target: Any) -> bool:
    if Any in (source, target) or isinstance(source, str):
        return True
    if head(target) is REF and head(source) is not REF:  # an object may stand before actors
        return isinstance(head(source), type) and is_a(head(source), inner(target))
    source, target = head(source), head(target)
    if target is float and source in (int, bool):
        return True
    source = type(None) if source is None else source
    target = type(None) if target is None else target
    if not (isinstance(source, type) and isinstance(target, type)):
        return True
    if getattr(target, "_is_protocol", False):
        return True
    return issubclass(source, target)
