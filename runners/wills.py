"""What the journal of a dead process tells: how far each of its actors had come, and for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tether.actors.journal import DROPS, WORDS, Key, Word

Rows = Iterable[tuple[Key, Sequence[int]]]
"""Rows of one or more journals: whose they are, and their words."""


class Will(NamedTuple):
    """What a dead actor's journal says of one of its callers' calls."""

    started: int
    """The number of the last call whose handling had begun; those after it never did."""
    handled: int
    handled_bytes: int
    """Bytes of the calls that were handled or dropped."""
    dropped: dict[str, int]


def handled(rows: Rows, actor: str, incarnation: int) -> dict[str, int]:
    """Return how many calls of each other actor an incarnation has handled."""
    counts: Counter[str] = Counter()
    for key, row in _of(rows, actor, incarnation):
        counts[key.remote] += row[Word.HANDLED]
    return dict(+counts)


def rolled_back(
    rows: Rows,
    actor: str,
    incarnation: int,
    handled_at_checkpoint: Mapping[str, int],
    step_at_checkpoint: int,
) -> tuple[int, int]:
    """Return the messages handled and the steps reported by an incarnation since a checkpoint.

    `handled_at_checkpoint` counts what this incarnation had handled then: it is empty for a
    checkpoint of an earlier one.
    """
    rows = list(rows)
    now = handled(rows, actor, incarnation)
    messages = sum(max(0, n - handled_at_checkpoint.get(name, 0)) for name, n in now.items())
    reached = max((row[0] for key, row in rows if key == Key(actor, incarnation)), default=0)
    return messages, max(0, reached - step_at_checkpoint)


def will(
    rows: Rows, actor: str, incarnation: int, present: Mapping[str, int] | None = None
) -> dict[str, Will]:
    """Return what is known of the calls of each other actor to a dead incarnation.

    It is of the incarnation of the other that `present` names, else of its last one there is a row
    of. Who is left out has had no call begun, handled or dropped.
    """
    last: dict[str, tuple[int, Sequence[int]]] = {}
    for key, row in _of(rows, actor, incarnation):
        wanted = (present or {}).get(key.remote, max(key[3], last.get(key.remote, (0,))[0]))
        if key.remote_incarnation == wanted:
            last[key.remote] = wanted, row
    return {name: _will(row) for name, (_, row) in last.items() if came_in(row)}


def _will(row: Sequence[int]) -> Will:
    words = row[Word.STARTED], row[Word.HANDLED], row[Word.HANDLED_BYTES]
    return Will(*words, dropped_in(row))


def _of(rows: Rows, actor: str, incarnation: int) -> Iterator[tuple[Key, Sequence[int]]]:
    """Yield what an incarnation has counted of other actors."""
    for key, row in rows:
        if key.local == actor and key.local_incarnation == incarnation and key.remote:
            yield key, row


def steps(rows: Rows) -> dict[str, int]:
    """Return the last step that the last incarnation of each actor has reported."""
    last: dict[str, tuple[int, int]] = {}
    for key, row in rows:
        if not key.remote:
            last[key.local] = max(last.get(key.local, (0, 0)), (key.local_incarnation, row[0]))
    return {actor: step for actor, (_, step) in last.items()}


def dropped_in(row: Sequence[int]) -> dict[str, int]:
    """Return how many calls of the remote a row counts as dropped, by reason."""
    return {
        why: count for why, count in zip(DROPS, row[Word.DROPPED : WORDS], strict=True) if count
    }


def came_in(row: Sequence[int]) -> bool:
    """Whether a row counts anything that the remote has sent."""
    return any(row[Word.STARTED : WORDS])
