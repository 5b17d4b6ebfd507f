"""Whether a life that has failed was ended by another's death."""

from __future__ import annotations

from collections.abc import Iterator

from tether.actors.directory import Directory
from tether.actors.errors import ActorGone


def innocent(error: BaseException, directory: Directory) -> bool:
    """Tell whether all that was raised is that somebody is gone, who will come back."""
    return all(
        isinstance(leaf, ActorGone) and leaf.actor in directory and leaf.actor not in directory.gone
        for leaf in leaves(error)
    )


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what an exception, or a group of them, holds."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
