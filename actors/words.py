"""What runtimes say to each other beside messages: words that overtake them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from tether.actors.journal import DROPS
from tether.actors.message import LONGEST
from tether.actors.packet import Pair


class Cancel(NamedTuple):
    """Nobody waits for a call any more, and why it is dropped if it has not started."""

    source: str
    target: str
    source_incarnation: int
    target_incarnation: int
    number: int
    why: str = "cancelled"

    @property
    def pair(self) -> Pair:
        """Who takes back, from whom."""
        return Pair(*self[:4])


class Wait(NamedTuple):
    """Who waits in which handler, as `left/0.Cross.go`, and for which of its process's asks."""

    step: str
    ask: int


class Probe(NamedTuple):
    """Follows who waits for whom: one that comes home has found a ring.

    `source` waits for an answer, or for room, at `target`. The wait that is tested is the first of
    `path`, in the turn number `turn` of `initiator`; `round` counts the looks of its process.
    """

    source: str
    target: str
    initiator: str
    turn: int
    round: int
    path: tuple[Wait, ...]


Word: TypeAlias = Cancel | Probe
CANCEL, PROBE = 0, 1


def packed_word(word: Word) -> list[Any]:
    """Return a word as plain data."""
    if isinstance(word, Cancel):
        return [CANCEL, *word]
    *fields, path = word
    return [PROBE, *fields, [list(wait) for wait in path]]


def unpacked_word(plain: Any) -> Word:
    """Return the word of plain data; raises ValueError when it is none."""
    if not isinstance(plain, Sequence):
        raise ValueError(f"{plain!r:.40} came where a word belongs")
    kind, source, target, *fields = plain
    if kind == CANCEL:
        *numbers, why = fields
        if why not in DROPS:
            raise ValueError(f"{why!r:.40} came where a reason to drop a call belongs")
        here, there, number = map(whole, numbers)
        return Cancel(text(source), text(target), here, there, number, why)
    if kind != PROBE:
        raise ValueError(f"a word of kind {kind!r:.40} came, which is not one of this wire version")
    initiator, turn, look, path = fields
    waits = tuple(Wait(text(step), whole(ask)) for step, ask in path)
    if not waits:
        raise ValueError("a probe came that has followed nobody")
    return Probe(text(source), text(target), text(initiator), whole(turn), whole(look), waits)


def text(value: Any) -> str:
    """Return a name that came; raises ValueError when it is none."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} came where a name belongs")
    if len(value) > LONGEST:
        raise ValueError(f"a name of {len(value)} characters came, of which none has that many")
    return value


def whole(value: Any) -> int:
    """Return a count that came; raises ValueError when it is none."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.40} came where a count belongs")
    return value
