"""Both sides' journals, joined: every message of a run is accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.journal import DROPS, WORDS, Key, Memory, Word
from tether.runners.accounts import Account, accounts
from tether.runners.summary import ActorRecord, summarise

WORKER, CENTER = "worker/0", "center/0"
Rows = list[tuple[Key, Sequence[int]]]


def row(**words: int) -> list[int]:
    """Return a row from its words by name; a reason to drop a call is a name too."""
    made = [0] * WORDS
    for name, value in words.items():
        made[Word.DROPPED + DROPS.index(name) if name in DROPS else Word[name.upper()]] = value
    return made


def everybody(actor: str, incarnation: int) -> bool:
    return True


def nobody(actor: str, incarnation: int) -> bool:
    return False


def only(rows: Rows, alive: Any = everybody) -> Account:
    (account,) = accounts(rows, alive)
    return account


def unaccounted(found: Iterable[Account]) -> int:
    """Return what the summary of a run says nobody can tell the fate of."""
    record = ActorRecord(actor=WORKER, pid=1, steps=0, accounts=list(found))
    return summarise("finished", [record], seconds=1.0).traffic.unaccounted


def pair(i: int, j: int, sent: list[int] | None, came: list[int] | None) -> Rows:
    """Return the rows of both sides about the calls of worker i to center j."""
    rows: Rows = []
    if sent is not None:
        rows.append((Key(WORKER, i, CENTER, j), sent))
    if came is not None:
        rows.append((Key(CENTER, j, WORKER, i), came))
    return rows


def test_what_codecs_saved_and_cost_is_that_of_all_incarnations() -> None:
    one = row(sent=1, bytes=500, raw=1000, packed=400, error=2500)
    rows = [*pair(1, 1, one, None), *pair(2, 1, one, None), *pair(3, 1, row(sent=1), None)]

    found = only(rows)

    assert found["compressed"] == {"raw": 2000, "packed": 800, "error": 5.0}


def test_an_account_without_codecs_says_nothing_of_them() -> None:
    assert "compressed" not in only(pair(1, 1, row(sent=1), None))


def test_both_sides_tell_what_became_of_all_messages() -> None:
    sent = row(sent=10, bytes=1000, withdrawn=1, abandoned=2)
    came = row(started=9, handled=4, handled_bytes=400, expired=2, cancelled=1)

    account = only(pair(1, 1, sent, came))

    assert account == {
        "from": WORKER,
        "to": CENTER,
        "sent": 10,
        "handled": 4,
        "dropped": {"cancelled": 2, "expired": 2, "absent": 2},
        "unknown": 0,
        "in_flight": 0,
        "bytes": 1000,
    }


@pytest.mark.parametrize(
    ("living", "unknown", "in_flight"),
    [
        ({(WORKER, 1), (CENTER, 1)}, 0, 3),
        ({(WORKER, 1)}, 3, 0),
        ({(CENTER, 1)}, 3, 0),
        (set(), 3, 0),
    ],
)
def test_what_is_on_its_way_between_living_ones_is_in_flight_else_unknown(
    living: set[tuple[str, int]], unknown: int, in_flight: int
) -> None:
    rows = pair(1, 1, row(sent=8), row(handled=5))

    account = only(rows, lambda *who: who in living)

    assert (account["unknown"], account["in_flight"]) == (unknown, in_flight)


def test_the_incarnations_of_two_actors_are_one_account() -> None:
    rows = [
        *pair(1, 1, row(sent=5, bytes=50), row(handled=4)),
        *pair(1, 2, row(sent=7, bytes=70, withdrawn=1), row(handled=6)),
        *pair(2, 2, row(sent=3, bytes=30), row(handled=1, cycle=1)),
    ]

    account = only(rows, lambda actor, incarnation: incarnation == 2)

    assert account["sent"] == 15
    assert account["handled"] == 11
    assert account["dropped"] == {"cancelled": 1, "cycle": 1}
    assert (account["unknown"], account["in_flight"]) == (1, 1)
    assert account["bytes"] == 150


def test_answers_are_bytes_of_who_gives_them() -> None:
    rows = pair(1, 1, row(sent=2, bytes=20, handled=0), row(handled=2, bytes=900))

    there, back = sorted(accounts(rows, everybody), key=lambda account: account["to"])

    assert (there["from"], there["sent"], there["bytes"]) == (WORKER, 2, 20)
    assert (back["from"], back["sent"], back["bytes"]) == (CENTER, 0, 900)


def test_a_receiver_whose_row_is_missing_has_said_nothing() -> None:
    assert only(pair(1, 1, row(sent=4), None), nobody)["unknown"] == 4
    assert only(pair(1, 1, row(sent=4), None), everybody)["in_flight"] == 4


def test_of_a_sender_whose_row_is_missing_the_receivers_is_all_there_is() -> None:
    came = row(handled=4, handled_bytes=40, expired=1)

    account = only(pair(1, 1, None, came), nobody)

    assert (account["sent"], account["handled"], account["bytes"]) == (5, 4, 40)
    assert account["unknown"] == account["in_flight"] == unaccounted([account]) == 0


def test_actors_that_never_spoke_have_no_account() -> None:
    rows: Rows = [*pair(1, 1, row(), row()), (Key(WORKER, 1), row(sent=9))]

    assert accounts(rows, everybody) == []


@pytest.mark.parametrize("alive", [everybody, nobody])
def test_more_handled_than_sent_is_a_bug_that_shows(alive: Any) -> None:
    bug = pair(1, 1, row(sent=3), row(handled=5))
    other = pair(2, 1, row(sent=9), row(handled=2))

    account = only([*bug, *other], alive)

    assert unaccounted([account]) == -2


def test_a_row_that_comes_in_two_parts_is_their_sum() -> None:
    rows = [*pair(1, 1, row(sent=3), row(handled=3)), *pair(1, 1, row(sent=2), row(handled=2))]

    account = only(rows)

    assert (account["sent"], account["handled"], account["in_flight"]) == (5, 5, 0)


COUNT = st.integers(0, 50)
FATES = st.fixed_dictionaries(
    {"withdrawn": COUNT, "abandoned": COUNT, "handled": COUNT, "lost": COUNT}
    | dict.fromkeys(DROPS, COUNT)
)
ENDS = st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3))


@given(st.dictionaries(ENDS, FATES, max_size=12), st.sets(ENDS.map(lambda ends: ends[:2])))
def test_the_books_of_all_close_whoever_died(
    fates: dict[tuple[int, int, int, int], dict[str, int]], dead: set[tuple[int, int]]
) -> None:
    journal = Memory()
    for (a, i, b, j), fate in fates.items():
        mine = journal.row(Key(f"a/{a}", i, f"b/{b}", j))
        theirs = journal.row(Key(f"b/{b}", j, f"a/{a}", i))
        mine[Word.SENT] = sum(fate.values())
        mine[Word.WITHDRAWN], mine[Word.ABANDONED] = fate["withdrawn"], fate["abandoned"]
        theirs[Word.HANDLED] = fate["handled"]
        theirs[Word.DROPPED :] = [fate[why] for why in DROPS]

    found = accounts(
        list(reversed(list(journal.rows()))), lambda name, i: (int(name[-1]), i) not in dead
    )

    ends = [(account["from"], account["to"]) for account in found]
    assert len(ends) == len(set(ends))
    assert unaccounted(found) == 0
    assert sum(a["handled"] for a in found) == sum(fate["handled"] for fate in fates.values())
    lost = {ends: fate["lost"] for ends, fate in fates.items()}
    living = [n for (a, i, b, j), n in lost.items() if not {(a, i), (b, j)} & dead]
    assert sum(a["in_flight"] for a in found) == sum(living)
    assert sum(a["unknown"] for a in found) == sum(lost.values()) - sum(living)
