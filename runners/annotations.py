"""What a constructor or factory takes, each parameter resolved alone."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, get_type_hints


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `hint` is its resolved annotation, Any where there is none."""

    name: str
    hint: Any
    required: bool
    by_position_only: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What a callable takes by name, what it gives, and what could not be found out.

    `rest` is the hint of `**kwargs`, None if there is none. `unresolved` holds the reasons by
    parameter; an `opaque` callable (some built-in ones) does not say what it takes.
    """

    parameters: Mapping[str, Parameter]
    returns: Any = Any
    rest: Any = None
    unresolved: Mapping[str, str] = field(default_factory=dict)
    opaque: bool = False


def signature(function: Callable[..., Any]) -> Signature:
    """Return what a class or factory takes; an annotation that fails hides no other one."""
    try:
        found = inspect.signature(function)
    except (ValueError, TypeError):
        return Signature({}, returns=_given(function, Any), rest=Any, opaque=True)
    unresolved: dict[str, str] = {}
    parameters, rest = {}, None
    for name, parameter in found.parameters.items():
        hint = _resolved(function, name, parameter.annotation, unresolved)
        if parameter.kind is parameter.VAR_KEYWORD:
            rest = hint
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            required = parameter.default is parameter.empty
            alone = parameter.kind is parameter.POSITIONAL_ONLY
            parameters[name] = Parameter(name, hint, required, alone)
    returns = _resolved(function, "return", found.return_annotation, {})
    return Signature(parameters, _given(function, returns), rest, unresolved)


def _given(function: Callable[..., Any], returns: Any) -> Any:
    return function if isinstance(function, type) else returns


def _resolved(
    function: Callable[..., Any], name: str, annotation: Any, unresolved: dict[str, str]
) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    holder = SimpleNamespace(__annotations__={name: annotation})
    reason = ""
    for names in _namespaces(function):
        try:
            # Other local names than global ones: or else typing remembers, for all modules, what
            # the first one means by `Group["Peer"]`.
            return get_type_hints(holder, names, dict(names), include_extras=True)[name]
        except NameError as error:
            reason = reason or f"{error.name} is not defined at run time"
        except Exception as error:
            reason = reason or f"its annotation raises {type(error).__name__}: {error}"
    unresolved[name] = reason
    return Any


def _namespaces(function: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Where names of annotations are looked up: the constructor's module, then each base's."""
    own = getattr(function, "__name__", "")
    for code in _codes(function):
        yield {own: function} | getattr(inspect.unwrap(code), "__globals__", {})
    for base in getattr(function, "__mro__", ())[:-1]:
        yield dict(vars(sys.modules[base.__module__])) if base.__module__ in sys.modules else {}


def _codes(function: Callable[..., Any]) -> tuple[Any, ...]:
    if isinstance(function, type):
        return (getattr(function, "__init__"), function.__new__)  # noqa: B009
    return (getattr(function, "func", function),)
