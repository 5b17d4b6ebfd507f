"""Refusals are all counted; of their lines there are few."""

from __future__ import annotations

import pytest

from tether.actors.refusals import (
    CRYPTOGRAPHIC,
    FAILED_AUTH,
    FAILED_PROTOCOL,
    FAILED_UNTOLD,
    MISMATCH,
    REMEMBERED,
    Refusals,
    refused_here,
    refused_there,
)


def test_each_is_counted_and_told_less_and_less_often(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals("center")
    for _ in range(20):
        refusals.add("wrong key", "one was refused")

    assert refusals.count == {"wrong key": 20}
    assert caplog.messages == [
        "center: one was refused",
        *(f"center: one was refused ({n} times by now)" for n in (2, 4, 8, 16)),
    ]


def test_what_is_new_is_told_but_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals("center")
    for number in range(1000):
        refusals.add("not on the list", f"number {number} was refused")

    assert "center: number 2 was refused (3 times by now)" in caplog.messages
    assert REMEMBERED < len(caplog.messages) < REMEMBERED + 10


@pytest.mark.parametrize(
    ("event", "value", "reason", "there", "here"),
    [
        (FAILED_AUTH, 400, "not on the list", "our key is not on its list", ""),
        (FAILED_PROTOCOL, MISMATCH, "encryption differs", "do not agree on encryption",
         "it does not encrypt as is done here"),
        (FAILED_PROTOCOL, CRYPTOGRAPHIC, "wrong key", "", "it takes another key for ours"),
        (FAILED_PROTOCOL, 0x10000000, "protocol", "does not speak as tether does (ZMTP error 0x1",
         "it does not speak as tether does"),
        (FAILED_UNTOLD, 104, "wrong key", "its public key here is not its own, or it ended", ""),
        (FAILED_UNTOLD, 104, "broken off", "", "left, or was silent, before it had said who"),
    ],
)  # fmt: skip
def test_both_sides_say_what_was_wrong(
    event: int, value: int, reason: str, there: str, here: str
) -> None:
    if there:
        found, sentence = refused_there(event, value, "center on host b")
        assert found == reason
        assert sentence.startswith("center on host b")
        assert there in sentence
    told = refused_here(event, value, "tcp://10.0.0.1:5701")
    if here:
        assert told is not None
        assert told[0] == reason
        assert here in told[1]
    else:
        assert (told is None) == (event == FAILED_AUTH)  # ZAP has told that, with the key
