"""What became of all messages of a run, from the journals of all its processes, dead ones too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypedDict

from tether.actors.journal import DROPS, WORDS, Key, Word
from tether.runners.summary import AccountRecord

Rows = Iterable[tuple[Key, Sequence[int]]]
"""Rows of one or more journals: whose they are, and their words."""

_From = TypedDict("_From", {"from": str})


class Account(AccountRecord, _From):
    """What became of the messages of one actor to another, over all incarnations of both."""


class Will(NamedTuple):
    """What a dead actor's journal says of one of its callers' calls."""

    started: int
    """The number of the last call whose handling had begun; those after it never did."""
    handled: int
    handled_bytes: int
    """Bytes of the calls that were handled or dropped."""
    dropped: dict[str, int]


def accounts(rows: Rows, alive: Callable[[str, int], bool]) -> list[Account]:
    """Return an account for each sender and receiver, from the rows of all processes.

    `alive` tells whether an incarnation of an actor lives, or lived to the end of the run: what is
    under way between two such is in flight, between others unknown. More messages done with than
    sent leave an account that does not add up: a bug of the runtime.
    """
    known = _summed(rows)
    sums: dict[tuple[str, str], Account] = {}
    for key in _senders(known):
        ends = key.local, key.remote
        account = sums.setdefault(ends, _empty(*ends))
        living = alive(*key[:2]) and alive(*key[2:])
        _add(account, _account(key, known.get(key), known.get(_other(key)), living))
    return [sums[ends] for ends in sorted(sums)]


def _summed(rows: Rows) -> dict[Key, Sequence[int]]:
    known: dict[Key, Sequence[int]] = {}
    for key, row in rows:
        if key.remote:
            before = known.get(key)
            added = row if before is None else [a + b for a, b in zip(before, row, strict=True)]
            known[key] = list(added)
    return known


def _other(key: Key) -> Key:
    return Key(key.remote, key.remote_incarnation, key.local, key.local_incarnation)


def _senders(known: Mapping[Key, Sequence[int]]) -> Iterator[Key]:
    """Yield a key for each pair of incarnations of which the local one called the remote one."""
    for key in dict.fromkeys([*known, *map(_other, known)]):
        sent, came = known.get(key), known.get(_other(key))
        if (sent is not None and any(sent[: Word.STARTED])) or (came is not None and _came(came)):
            yield key


def _came(row: Sequence[int]) -> bool:
    return any(row[Word.STARTED : WORDS])


def _account(
    key: Key, sent: Sequence[int] | None, came: Sequence[int] | None, living: bool
) -> Account:
    """Return the account of one incarnation's messages to another."""
    mine = sent or [0] * WORDS
    theirs = came or [0] * WORDS
    dropped = Counter(_dropped(theirs))
    dropped.update({"cancelled": mine[Word.WITHDRAWN], "absent": mine[Word.ABANDONED]})
    done = theirs[Word.HANDLED] + dropped.total()
    # The sender's row may have died with it: then what arrived is all that is known.
    total = done if sent is None else mine[Word.SENT]
    rest = max(0, total - done)
    return {
        "from": key.local,
        "to": key.remote,
        "sent": total,
        "handled": theirs[Word.HANDLED],
        "dropped": dict(+dropped),
        "unknown": 0 if living else rest,
        "in_flight": rest if living else 0,
        "bytes": theirs[Word.HANDLED_BYTES] if sent is None else mine[Word.BYTES],
    }


def _empty(source: str, target: str) -> Account:
    return {
        "from": source,
        "to": target,
        "sent": 0,
        "handled": 0,
        "dropped": {},
        "unknown": 0,
        "in_flight": 0,
        "bytes": 0,
    }


def _add(account: Account, more: Account) -> None:
    account["sent"] += more["sent"]
    account["handled"] += more["handled"]
    account["unknown"] += more["unknown"]
    account["in_flight"] += more["in_flight"]
    account["bytes"] += more["bytes"]
    account["dropped"] = dict(Counter(account["dropped"]) + Counter(more["dropped"]))


def _dropped(row: Sequence[int]) -> dict[str, int]:
    return {
        why: count for why, count in zip(DROPS, row[Word.DROPPED : WORDS], strict=True) if count
    }


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
    return {name: _will(row) for name, (_, row) in last.items() if _came(row)}


def _will(row: Sequence[int]) -> Will:
    words = row[Word.STARTED], row[Word.HANDLED], row[Word.HANDLED_BYTES]
    return Will(*words, _dropped(row))


def _of(rows: Rows, actor: str, incarnation: int) -> Iterator[tuple[Key, Sequence[int]]]:
    """Yield what an incarnation has counted of other actors."""
    for key, row in rows:
        if key.local == actor and key.local_incarnation == incarnation and key.remote:
            yield key, row


def steps(rows: Rows, actor: str) -> int:
    """Return the last step that the last incarnation of an actor has reported; 0 for none."""
    own = [(key.local_incarnation, row[0]) for key, row in rows if key[0] == actor and not key[2]]
    return max(own, default=(0, 0))[1]
