"""Asking many at once, without a task for any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from tether.actors.message import Body
from tether.actors.ref import handler_of, is_ref, name_of, office_of

R = TypeVar("R")
Asked = list[asyncio.Future[Any]]


def ask_each(
    members: Sequence[Any],
    message: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Asked:
    """Start one call to each member; plain objects are called.

    Handles share one encoded body, or one for each codec that lies on the way to some of them.

    Where one cannot be started, those before it are cancelled.
    """
    asked: Asked = []
    bodies: dict[str, Body] = {}
    try:
        for member in members:
            if not is_ref(member):
                call = getattr(member, message.__name__)(*args, **kwargs)
                asked.append(asyncio.ensure_future(call))
                continue
            handler = handler_of(member, message.__name__)
            office = office_of(member)
            name = name_of(member)
            edge = office.edge(name)
            if edge not in bodies:
                bodies[edge] = office.encode(handler, args, kwargs, edge)
            asked.append(office.begin(name, handler, bodies[edge]))
    except BaseException:
        cancel_all(asked)
        raise
    return asked


async def collected(where: str, asked: Asked) -> list[Any]:
    """Wait for all answers; the first failure cancels the rest and raises an ExceptionGroup."""
    if not asked:
        return []
    try:
        await asyncio.wait(asked, return_when=asyncio.FIRST_EXCEPTION)
        failures = [error for error in map(failure, asked) if error is not None]
    finally:
        cancel_all(asked)
    if failures:
        raise ExceptionGroup(f"{where}: {len(failures)} of {len(asked)} failed", failures)
    return [answer.result() for answer in asked]


def failure(asked: asyncio.Future[Any]) -> Exception | None:
    """Return why a call failed, or None while it is under way or when it did not."""
    if not asked.done():
        return None
    if asked.cancelled():
        return RuntimeError("the call was cancelled by another hand")
    error = asked.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


def cancel_all(asked: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what is under way, and look at the failures nobody will ask for."""
    for call in asked:
        if not call.cancel() and not call.cancelled():
            call.exception()
