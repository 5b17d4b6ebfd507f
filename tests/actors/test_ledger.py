"""The books close: sent = handled + dropped + unknown + in flight."""

from __future__ import annotations

from collections import Counter

from tether.actors.ledger import Ledger


def test_what_is_not_accounted_for_is_in_flight() -> None:
    books = Ledger(sent=10, handled=4, dropped=Counter(expired=2, superseded=1), unknown=1)

    assert books.in_flight == 2


def test_plain_books_name_only_losses_there_were() -> None:
    books = Ledger(sent=3, handled=2, dropped=Counter(expired=1, cancelled=0), bytes=300, late=1)

    assert books.plain() == {
        "sent": 3, "handled": 2, "dropped": {"expired": 1}, "unknown": 0, "in_flight": 0,
        "bytes": 300, "late": 1,
    }  # fmt: skip


def test_what_is_dropped_is_booked_by_its_reason_in_these_books_only() -> None:
    books, others = Ledger(sent=5), Ledger(sent=5)

    books.drop("expired")
    books.drop("expired", 2)

    assert books.dropped == {"expired": 3}
    assert (books.in_flight, others.in_flight) == (2, 5)
    assert Ledger().dropped == others.dropped == {}
