"""What the runtime promises of messages: each breach is told of, and the normal course is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.conftest import call
from tests.runners.worlds import cell, virtual
from tether.actors.asks import Ask
from tether.actors.cell import Cell
from tether.actors.link import Link
from tether.actors.message import Kind, Message
from tether.actors.packet import Pair, Window
from tether.runners.accounts import Account
from tether.runners.promises import Promises

PAIR = Pair("worker/0", "center/0", 1, 1)
HANDLER: Any = None


class Run:
    """A worker that calls a center, and who sees it."""

    def __init__(self, window: Window | None = None) -> None:
        self.now = 0.0
        self.broken: list[str] = []
        self.promises = Promises(lambda: self.now, self.broken.append)
        self.center = cell()
        self.here = Link(bytearray, window, pair=PAIR)
        self.there = Link(bytearray, window, pair=PAIR.turned)

    def sent(self, *numbers: int) -> Iterator[Message]:
        for number in numbers:
            message = call(number)
            self.promises.sent(self.here, message)
            yield message

    def came(self, message: Message) -> Message:
        self.promises.came(self.there, message)
        message.link = self.there
        return message

    def begun(self, message: Message, by: Cell | None = None) -> Message:
        """Have a call come and its handling begin, as a node does: it is noted after it is seen."""
        self.came(message)
        self.center = by or self.center
        self.center.turn += 1
        self.promises.begun(self.center, message)
        self.there.inward.start(message.number)
        return message

    def handled(self, message: Message) -> None:
        self.begun(message)
        self.settled(message)

    def settled(self, message: Message, dropped: str | None = None) -> None:
        self.promises.settled(self.there, message, dropped)

    def ask(self, deadline: float | None) -> Ask:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return Ask(call(4, kind=Kind.ASK, deadline=deadline), self.here, HANDLER, future)


def about(number: int, text: str) -> str:
    return f"message {number} of worker/0 to center/0, tick, {text}"


def account(source: str = "worker/0", **counts: Any) -> Account:
    books: Any = {"sent": 0, "handled": 0, "dropped": {}, "unknown": 0, "in_flight": 0, "bytes": 0}
    return {"from": source, "to": "center/0", **books, **counts}  # type: ignore[typeddict-item]


def test_calls_that_are_sent_come_and_are_handled_in_order_break_nothing() -> None:
    run = Run()

    for message in run.sent(1, 2, 5):
        run.handled(message)

    assert run.broken == []
    assert run.promises.flights == {}
    assert run.promises.sent_by == run.promises.handled_of == {"worker/0": 3}
    assert run.promises.begun_by == {"center/0": 3}
    assert run.promises.handled_by == {("center/0", 1): 3}


def test_a_call_is_handed_in_once() -> None:
    run = Run()

    (message,) = run.sent(3)
    run.promises.sent(run.here, message)

    assert run.broken == [about(3, "was handed in twice")]


@pytest.mark.parametrize("end", ["never sent", "begun", "dropped", "withdrawn"])
def test_a_call_that_is_not_under_way_cannot_begin(end: str) -> None:
    run = Run()
    message = call(3) if end == "never sent" else next(run.sent(3))
    if end == "begun":
        run.handled(message)
        run.there.inward.started = 2
    elif end == "dropped":
        run.came(message)
        run.settled(message, "expired")
    elif end == "withdrawn":
        run.promises.withdrawn(run.here, message)

    run.begun(message)

    text = "begins, but it was never sent, or was begun or dropped before"
    assert run.broken == [about(3, text)]


def test_a_call_begins_in_the_incarnation_it_was_sent_to() -> None:
    run = Run()
    (message,) = run.sent(3)

    run.begun(message, by=cell(incarnation=2))

    sent, begun = "was sent to incarnation 1 of center/0", "incarnation 2 of center/0 begins it"
    assert run.broken == [about(3, f"{sent}, but {begun}")]


def test_a_call_that_had_not_begun_may_begin_in_the_next_incarnation_once_it_is_handed_on() -> None:
    run = Run()
    (message,) = run.sent(3)
    run.now = 2.0

    run.here = Link(bytearray, pair=PAIR._replace(target_incarnation=2))
    run.there = Link(bytearray, pair=run.here.turned)
    run.promises.resent(run.here, message)
    run.begun(message, by=cell(incarnation=2))

    assert run.broken == []
    assert run.promises.sent_by == {"worker/0": 1}


def test_calls_of_one_sender_begin_in_their_order() -> None:
    run = Run()
    early, late = run.sent(3, 5)
    run.handled(late)

    run.handled(early)

    assert run.broken == [about(3, "begins after number 5 of the same sender, so out of order")]


def test_an_actor_handles_one_message_or_one_batch_at_a_time() -> None:
    run = Run()
    one, other, third = run.sent(1, 2, 3)

    run.begun(one)
    run.promises.begun(run.center, run.came(other))  # in the same turn
    batch = [*run.broken]
    run.begun(third)

    assert batch == []
    assert run.broken == [about(3, "begins while another message is handled there")]


def test_what_was_handled_is_acknowledged_in_the_end() -> None:
    run = Run()
    one, other = run.sent(1, 2)

    run.begun(one)
    run.promises.silent([run.here], lambda _: False)
    run.settled(one)
    busy = [*run.broken]
    run.promises.silent([run.here], lambda _: True)
    run.handled(other)
    run.promises.silent([run.here], lambda _: True)

    text = "has handled all, but never acknowledged it, though worker/0 waits for that"
    assert busy == []
    assert run.broken == [about(2, "was sent, but never came"), f"center/0 {text}"]


@pytest.mark.parametrize(
    ("window", "sizes", "held"),
    [
        (Window(messages=2, bytes=1000), (0, 0, 0), "3 messages and 192 bytes"),
        (Window(messages=9, bytes=100), (900, 0), "2 messages and 1028 bytes"),
    ],
)
def test_nobody_holds_more_than_its_window_but_one_message(
    window: Window, sizes: tuple[int, ...], held: str
) -> None:
    run = Run(window)

    for number, size in enumerate(sizes, 1):
        run.came(call(number, size=size))

    has = f"its window is of {window.messages} messages and {window.bytes} bytes"
    assert run.broken == [f"center/0 holds {held} of worker/0, but {has}"]


def test_what_is_settled_is_held_no_more() -> None:
    run = Run(Window(messages=1, bytes=64))

    for number, message in enumerate(run.sent(1, 2, 3, 4)):
        run.came(message)
        run.settled(message, "expired" if number % 2 else "superseded")

    assert run.broken == []
    assert run.promises.dropped_of == {"worker/0": {"expired": 2, "superseded": 2}}


@virtual
async def test_nobody_waits_for_what_had_to_end() -> None:
    run = Run()
    late, early, endless, done = (run.ask(end) for end in (3.0, 5.0, None, 3.0))
    done.future.set_result(None)
    run.now = 4.0

    run.promises.in_time([late, early, endless, done], since=4.0)  # it was stopped till now
    stopped = [*run.broken]
    run.promises.in_time([late, early, endless, done], since=0.0)

    assert stopped == []
    assert run.broken == [about(4, "had to end by 3 s, but is waited for at 4 s")]


@virtual
async def test_at_the_end_nothing_is_waited_for() -> None:
    run = Run()
    waits, done = run.ask(None), run.ask(None)
    done.future.set_result(None)

    run.promises.ended([waits, done])

    assert run.broken == [about(4, "was still waited for at the end, by worker/0")]


def test_the_age_of_a_call_is_told_when_it_begins() -> None:
    run = Run()
    ages: list[tuple[str, str, float, int]] = []
    run.promises.aged = lambda *age: ages.append(age)

    one, two, three = run.sent(1, 2, 3)
    run.now = 0.5
    run.handled(one)
    (four,) = run.sent(4)
    run.now = 2.0
    for message in (two, three, four):
        run.handled(message)

    assert ages == [
        ("worker/0", "center/0", 0.5, 0),
        ("worker/0", "center/0", 2.0, 1),
        ("worker/0", "center/0", 2.0, 2),
        ("worker/0", "center/0", 1.5, 2),
    ]


def test_what_handlers_return_is_told() -> None:
    run = Run()
    returned: list[tuple[Cell, Message, Any]] = []
    run.promises.returned = lambda *said: returned.append(said)
    (message,) = run.sent(1)
    run.begun(message)

    run.promises.answered(run.center, message, "done")

    assert returned == [(run.center, message, "done")]


def booked(run: Run) -> Mapping[str, Any]:
    """Send four calls: two are handled, one expires, one is taken back; return the books."""
    one, two, three, four = run.sent(1, 2, 3, 4)
    run.handled(one)
    run.handled(two)
    run.came(three)
    run.settled(three, "expired")
    run.promises.withdrawn(run.here, four)
    return {"sent": 4, "handled": 2, "dropped": {"expired": 1, "cancelled": 1}}


def test_books_that_say_what_was_seen_break_nothing() -> None:
    run = Run()
    good = booked(run)
    halves = [account(sent=1, handled=1), account(**{**good, "sent": 3, "handled": 1})]

    run.promises.accounted([account(**good)], drained=True)
    run.promises.accounted(halves, drained=True)
    run.promises.accounted([account(**good, in_flight=2)], drained=False)

    assert run.broken == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"from": "center/0"}, "worker/0: 4 messages were sent, but 0 are booked"),
        ({"sent": 5}, "worker/0: 4 messages were sent, but 5 are booked"),
        ({"handled": 1}, "worker/0: 2 messages were handled, but 1 are booked"),
        ({"dropped": {"expired": 1}}, "1 messages were dropped as cancelled, but 0 are booked"),
        ({"in_flight": 2}, "worker/0: 2 messages are in flight after an end in good order"),
    ],
)
def test_books_that_say_anything_else_are_told_of(wrong: Mapping[str, Any], told: str) -> None:
    run = Run()
    books = {**booked(run), **wrong}

    run.promises.accounted([account(**books)], drained=True)

    assert any(sentence.endswith(told) for sentence in run.broken)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 60))
def test_a_link_breaks_nothing_whatever_the_network_does(
    seed: int, window: int, count: int
) -> None:
    random, run = Random(seed), Run(Window(messages=window))
    run.here.out.resend_after = run.there.out.resend_after = 1.0
    for message in run.sent(*range(1, count + 1)):
        run.here.out.add(message)
    air: list[tuple[Link, Any]] = []
    inbox: list[Message] = []

    while not run.here.out.quiet or air:
        run.now += 0.1
        for side, other in ((run.here, run.there), (run.there, run.here)):
            side.resend_if_overdue(run.now)
            while (packet := side.pull(run.now)) is not None:
                air += [(other, packet)] * random.choice((0, 1, 1, 2))
        if air:
            side, packet = air.pop(random.randrange(len(air)))
            for message in side.push(packet, run.now):
                run.promises.came(run.there, message)
                inbox.append(message)
        if inbox and random.random() < 0.5:
            message, dropped = inbox.pop(0), random.choice((None, None, "expired"))
            if dropped is None:
                run.center.turn += 1
                message.link = run.there
                run.promises.begun(run.center, message)
                run.there.inward.start(message.number)
            run.settled(message, dropped)
            run.there.inward.settle(message, dropped)

    books: Any = run.here.out.books.plain()
    run.promises.accounted([account(**books)], drained=True)
    assert run.broken == []
    assert run.promises.flights == {}
