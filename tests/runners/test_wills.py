"""What the dead have done is known from their journals, for each who spoke to them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tether.actors.journal import DROPS, WORDS, Key, Word
from tether.runners.wills import handled, rolled_back, steps, will

WORKER, CENTER = "worker/0", "center/0"
Rows = list[tuple[Key, Sequence[int]]]


def row(**words: int) -> list[int]:
    """Return a row from its words by name; a reason to drop a call is a name too."""
    made = [0] * WORDS
    for name, value in words.items():
        made[Word.DROPPED + DROPS.index(name) if name in DROPS else Word[name.upper()]] = value
    return made


def journals() -> Rows:
    """Return what a dead process has left of center 2, spoken to by several."""
    return [
        (Key(CENTER, 1), row(sent=100)),
        (Key(CENTER, 2), row(sent=130)),
        (Key(CENTER, 1, WORKER, 1), row(started=50, handled=50)),
        (Key(CENTER, 2, WORKER, 1), row(started=20, handled=19, handled_bytes=190, expired=1)),
        (Key(CENTER, 2, WORKER, 2), row(started=6, handled=5, handled_bytes=50)),
        (Key(CENTER, 2, "worker/1", 1), row(started=8, handled=7, handled_bytes=70, cycle=1)),
        (Key(CENTER, 2, "worker/2", 1), row(sent=3)),
        (Key("other/0", 2, WORKER, 2), row(started=9, handled=9)),
    ]


def test_an_incarnation_has_handled_calls_of_all_incarnations_of_others() -> None:
    assert handled(journals(), CENTER, 2) == {WORKER: 24, "worker/1": 7}


def test_what_was_done_since_the_checkpoint_is_rolled_back() -> None:
    undone = rolled_back(iter(journals()), CENTER, 2, {WORKER: 20, "worker/1": 7}, 125)

    assert undone == (4, 5)


def test_all_that_an_incarnation_did_is_rolled_back_to_an_earlier_ones_checkpoint() -> None:
    assert rolled_back(journals(), CENTER, 2, {}, 98) == (31, 32)


def test_one_that_did_nothing_has_nothing_rolled_back() -> None:
    assert rolled_back(journals(), CENTER, 3, {}, 125) == (0, 0)


def test_the_dead_leave_word_of_the_calls_that_had_begun() -> None:
    left = will(journals(), CENTER, 2)

    assert left == {WORKER: (6, 5, 50, {}), "worker/1": (8, 7, 70, {"cycle": 1})}


@pytest.mark.parametrize("order", [1, -1])
def test_word_is_left_for_the_incarnation_that_is_there(order: int) -> None:
    rows = journals()[::order]

    earlier = will(rows, CENTER, 2, {WORKER: 1})
    later = will(rows, CENTER, 2, {WORKER: 3})

    assert earlier[WORKER] == (20, 19, 190, {"expired": 1})
    assert WORKER not in later
    assert will(rows, CENTER, 2)[WORKER].started == 6


def test_of_a_caller_that_began_anew_and_was_not_heard_yet_nothing_is_said() -> None:
    rows = [*journals(), (Key(CENTER, 2, WORKER, 3), row(sent=1))]

    assert WORKER not in will(rows, CENTER, 2)


def test_an_actors_steps_are_those_of_its_last_incarnation() -> None:
    assert steps(journals())[CENTER] == 130
    assert steps(reversed(journals()))[CENTER] == 130
    assert "worker/1" not in steps(journals())
