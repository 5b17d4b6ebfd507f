"""TETHER_DEBUG=1: find who writes into memory that is not theirs at that moment."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

from tether.actors import tensors
from tether.actors.message import Body

if TYPE_CHECKING:
    from tether.actors.asks import Ask
    from tether.actors.handlers import Handler

ON = os.environ.get("TETHER_DEBUG", "") not in {"", "0"}


def checksums(body: Body) -> list[int]:
    """Return a checksum of each part."""
    return [zlib.crc32(tensors.raw(part)) for part in body.parts]


def check_arguments(before: list[int] | None, body: Body, actor: str, handler: Handler) -> None:
    """Raise RuntimeError when a handler wrote into its arguments: they are only lent to it."""
    if before is not None and checksums(body) != before:
        raise RuntimeError(
            f"{actor}: {handler.title} wrote into an argument, which is the sender's memory; "
            "write into a .clone() of it"
        )


def check_lend(ask: Ask) -> None:
    """Raise RuntimeError when the asker wrote into what it had lent to a call still under way."""
    if ask.checksums is not None and checksums(ask.body) != ask.checksums:
        raise RuntimeError(
            f"{ask.link.local} wrote into a tensor while it was lent to {ask.target} by "
            f"{ask.handler.title}; write once the await has ended"
        )
