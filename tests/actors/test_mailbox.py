"""What waits is taken in order; a batch passes no other message of the same sender."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import call
from tether.actors.link import Link
from tether.actors.mailbox import Errand, Mailbox
from tether.actors.message import Message
from tether.actors.packet import Pair


async def nothing() -> None:
    return


@cache
def link(source: str) -> Link:
    """Return the link over which a sender's calls come."""
    return Link(bytearray, pair=Pair("me/0", source, 1, 1))


def came(source: str, message: Message) -> Message:
    """Return a message as it is once it was delivered."""
    message.link = link(source)
    return message


def filled(*items: tuple[str, str]) -> Mailbox:
    """Return a mailbox of calls (sender, message), numbered from 0."""
    mailbox = Mailbox()
    for number, (source, method) in enumerate(items):
        mailbox.put(came(source, call(number, method=method)))
    return mailbox


def numbers(items: list[Message]) -> list[int]:
    return [item.number for item in items]


def rest(mailbox: Mailbox) -> list[Any]:
    return [mailbox.queue.popleft() for _ in range(len(mailbox))]


def test_what_came_first_goes_first() -> None:
    mailbox = filled(("a", "x"), ("b", "x"))

    assert numbers(rest(mailbox)) == [0, 1]


def test_a_batch_takes_calls_of_all_senders() -> None:
    mailbox = filled(("a", "x"), ("b", "y"), ("c", "x"), ("a", "x"))

    assert numbers(mailbox.take("x", 9)) == [0, 2, 3]
    assert numbers(rest(mailbox)) == [1]


def test_a_batch_does_not_pass_another_message_of_the_same_sender() -> None:
    mailbox = filled(("a", "y"), ("a", "x"), ("b", "x"), ("b", "y"), ("b", "x"))

    assert numbers(mailbox.take("x", 9)) == [2]
    assert numbers(rest(mailbox)) == [0, 1, 3, 4]


def test_a_batch_takes_no_more_than_its_limit_and_the_first_ones() -> None:
    mailbox = filled(("a", "x"), ("b", "x"), ("c", "x"))

    assert numbers(mailbox.take("x", 2)) == [0, 1]
    assert numbers(rest(mailbox)) == [2]


def test_a_batch_passes_errands() -> None:
    mailbox = Mailbox()
    mailbox.put(Errand(nothing, ()))
    mailbox.put(came("a", call(1, method="x")))

    assert numbers(mailbox.take("x", 9)) == [1]
    assert len(mailbox) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"))), st.integers(0, 6))
def test_a_batch_keeps_the_order_of_every_sender(items: list[tuple[str, str]], limit: int) -> None:
    mailbox = filled(*items)

    taken = mailbox.take("x", limit)
    left = rest(mailbox)

    assert len(taken) <= limit
    assert sorted(numbers(taken + left)) == list(range(len(items)))
    for source in "abc":
        order = [item.number for item in taken + left if item.source == source]
        assert order == sorted(order)


def test_a_call_is_found_by_its_sender_and_number() -> None:
    mailbox = filled(("a", "x"), ("b", "x"))

    found = mailbox.remove(link("b"), 1)

    assert found is not None
    assert found.number == 1
    assert mailbox.remove(link("a"), 1) is None
    assert len(mailbox) == 1


def test_a_call_that_came_over_another_link_of_the_same_sender_is_another() -> None:
    mailbox = filled(("a", "x"))
    anew = Link(bytearray, pair=Pair("me/0", "a", 1, 2))

    assert mailbox.remove(anew, 0) is None
    assert len(mailbox) == 1


def test_the_waiting_call_of_a_sender_and_message_is_superseded() -> None:
    mailbox = filled(("a", "y"), ("a", "x"), ("b", "x"))

    found = mailbox.supersede("a", "x")

    assert found is not None
    assert found.number == 1
    assert mailbox.supersede("a", "x") is None


async def test_the_reader_is_woken_by_what_comes() -> None:
    mailbox = Mailbox()
    waiting = asyncio.ensure_future(mailbox.arrival())
    asyncio.get_running_loop().call_soon(mailbox.put, came("a", call()))

    assert await waiting
    assert len(mailbox) == 1


async def test_a_reader_without_patience_is_told_that_nothing_came() -> None:
    assert not await Mailbox().arrival(0.001)


async def test_a_reader_that_gives_up_is_not_woken_any_more() -> None:
    mailbox = Mailbox()
    waiting = asyncio.ensure_future(mailbox.arrival())
    asyncio.get_running_loop().call_soon(waiting.cancel)

    with pytest.raises(asyncio.CancelledError):
        await waiting
    mailbox.put(came("a", call()))

    assert len(mailbox) == 1


async def test_who_waits_wakes_once_for_all_that_was_appended() -> None:
    mailbox = Mailbox()
    arrival = asyncio.ensure_future(mailbox.arrival())
    await asyncio.sleep(0)

    mailbox.queue += [came("a", call(1)), came("a", call(2))]
    mailbox.wake()
    mailbox.wake()

    assert await arrival
    assert numbers(rest(mailbox)) == [1, 2]


def test_nobody_has_to_wait_to_be_woken() -> None:
    Mailbox().wake()
