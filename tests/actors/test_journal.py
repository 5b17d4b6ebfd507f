"""Rows of counts, a row for each pair of incarnations that spoke with each other."""

from __future__ import annotations

from tether.actors.journal import DROPS, WORDS, Key, Memory, Word


def test_a_new_row_is_zero_in_every_word() -> None:
    journal = Memory()

    row = journal.row(Key("worker/0", 1, "center/0", 1))

    assert list(row) == [0] * WORDS


def test_the_same_key_gets_the_same_row() -> None:
    journal = Memory()

    journal.row(Key("worker/0", 1, "center/0", 1))[Word.SENT] += 3

    assert journal.row(Key("worker/0", 1, "center/0", 1))[Word.SENT] == 3


def test_two_incarnations_of_an_actor_have_rows_of_their_own() -> None:
    journal = Memory()
    journal.row(Key("worker/0", 1, "center/0", 1))[Word.SENT] = 3

    again = journal.row(Key("worker/0", 2, "center/0", 1))

    assert again[Word.SENT] == 0


def test_all_rows_given_out_are_listed_with_their_keys() -> None:
    journal = Memory()
    keys = [Key("worker/0", 1), Key("worker/0", 1, "center/0", 2)]
    rows = [journal.row(key) for key in keys]

    listed = list(journal.rows())

    assert listed == list(zip(keys, rows, strict=True))


def test_an_actors_own_row_is_of_no_remote() -> None:
    assert Key("worker/0", 1) == ("worker/0", 1, "", 0)


def test_every_reason_to_drop_a_call_has_a_word_at_the_end_of_a_row() -> None:
    words = [Word.DROPPED + DROPS.index(why) for why in DROPS]

    assert words == list(range(max(Word), WORDS))
