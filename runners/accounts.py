"""What became of all messages of a run, from the journals of all its processes, dead ones too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypedDict

from tether.actors.journal import WORDS, Key, Word
from tether.actors.press import BOOKED
from tether.runners.summary import AccountRecord, Compressed
from tether.runners.wills import Rows, came_in, dropped_in

_From = TypedDict("_From", {"from": str})


class Account(AccountRecord, _From):
    """What became of the messages of one actor to another, over all incarnations of both."""


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


def by_sender(accounts: Iterable[Account]) -> dict[str, list[Account]]:
    """Return the accounts of each sender."""
    found: dict[str, list[Account]] = {}
    for account in accounts:
        found.setdefault(account["from"], []).append(account)
    return found


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
        if (sent is not None and any(sent[: Word.STARTED])) or (came is not None and came_in(came)):
            yield key


def _account(
    key: Key, sent: Sequence[int] | None, came: Sequence[int] | None, living: bool
) -> Account:
    """Return the account of one incarnation's messages to another."""
    mine = sent or [0] * WORDS
    theirs = came or [0] * WORDS
    dropped = Counter(dropped_in(theirs))
    dropped.update({"cancelled": mine[Word.WITHDRAWN], "absent": mine[Word.ABANDONED]})
    done = theirs[Word.HANDLED] + dropped.total()
    # The sender's row may have died with it: then what arrived is all that is known.
    total = done if sent is None else mine[Word.SENT]
    rest = max(0, total - done)
    account: Account = {
        "from": key.local,
        "to": key.remote,
        "sent": total,
        "handled": theirs[Word.HANDLED],
        "dropped": dict(+dropped),
        "unknown": 0 if living else rest,
        "in_flight": rest if living else 0,
        "bytes": theirs[Word.HANDLED_BYTES] if sent is None else mine[Word.BYTES],
    }
    if mine[Word.RAW]:
        account["compressed"] = _compressed(mine)
    return account


def _compressed(row: Sequence[int]) -> Compressed:
    error = row[Word.ERROR] / BOOKED
    return {"raw": row[Word.RAW], "packed": row[Word.PACKED], "error": error}


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
    if "compressed" in more:
        known, new = account.get("compressed"), more["compressed"]
        account["compressed"] = new if known is None else added(known, new)


def added(one: Compressed, other: Compressed) -> Compressed:
    """Return what compressing has saved and cost in two accounts."""
    return {
        "raw": one["raw"] + other["raw"],
        "packed": one["packed"] + other["packed"],
        "error": one["error"] + other["error"],
    }
