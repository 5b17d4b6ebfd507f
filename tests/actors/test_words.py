"""Words come back as they went, and what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.journal import DROPS
from tether.actors.packet import Pair
from tether.actors.words import Cancel, Probe, Wait, packed_word, text, unpacked_word, whole

CANCEL = Cancel("worker/3", "center/0", 2, 1, 5)
PROBE = Probe("b/0", "a/0", "a/0", 4, 2, (Wait("a/0.A.go", 9), Wait("b/0.B.go", 1)))


@pytest.mark.parametrize("word", [CANCEL, CANCEL._replace(why="cycle"), PROBE])
def test_a_word_comes_back_as_it_went(word: Cancel | Probe) -> None:
    assert unpacked_word(packed_word(word)) == word


def test_a_packed_word_is_made_of_lists_names_and_counts() -> None:
    assert packed_word(CANCEL) == [0, "worker/3", "center/0", 2, 1, 5, "cancelled"]
    assert packed_word(PROBE) == [1, *PROBE[:5], [["a/0.A.go", 9], ["b/0.B.go", 1]]]


def test_a_cancel_names_the_pair_whose_call_is_taken_back() -> None:
    assert CANCEL.pair == Pair("worker/3", "center/0", 2, 1)


def packed(word: Cancel | Probe, *changes: tuple[int, Any]) -> list[Any]:
    """Return a word as plain data in which some fields are replaced."""
    plain = packed_word(word)
    for at, value in changes:
        plain[at] = value
    return plain


@pytest.mark.parametrize(
    ("plain", "what"),
    [
        (packed(CANCEL, (0, 7)), "a word of kind 7 came, which is not one of this wire version"),
        (packed(CANCEL, (1, 4)), "4 came where a name belongs"),
        (packed(CANCEL, (1, "a" * 1025)), "a name of 1025 characters came"),
        (packed(CANCEL, (3, -1)), "-1 came where a count belongs"),
        (packed(CANCEL, (5, True)), "True came where a count belongs"),
        (packed(CANCEL, (6, "tired")), "'tired' came where a reason to drop a call belongs"),
        (packed(CANCEL)[:-1], "5 came where a reason to drop a call belongs"),
        (packed(CANCEL)[:2], "not enough values to unpack"),
        (packed(PROBE, (3, None)), "None came where a name belongs"),
        (packed(PROBE, (6, [])), "a probe came that has followed nobody"),
        (packed(PROBE, (6, [["a", "b"]])), "'b' came where a count belongs"),
        (packed(PROBE, (6, [["a"]])), "not enough values to unpack"),
        ([*packed(PROBE), 1], "too many values to unpack"),
        ([], "not enough values to unpack"),
    ],
)
def test_what_is_no_word_is_refused(plain: list[Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        unpacked_word(plain)


def test_what_is_no_name_or_no_count_is_refused_shortly() -> None:
    with pytest.raises(ValueError, match=r"^\[0, 0, .{31,40} came where a name belongs$"):
        text([0] * 1000)
    with pytest.raises(ValueError, match=r"^1\.5 came where a count belongs$"):
        whole(1.5)


junk = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text())


@given(st.sampled_from((CANCEL, PROBE)), st.integers(0, 6), junk)
def test_a_word_with_a_wrong_field_is_refused_or_a_word(
    word: Cancel | Probe, at: int, value: Any
) -> None:
    try:
        back = unpacked_word(packed(word, (at, value)))
    except (ValueError, TypeError):
        return

    assert packed_word(back) == packed(word, (at, value))
    assert isinstance(back, Probe) or back.why in DROPS
