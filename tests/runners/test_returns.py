"""Those who come back come back to their last checkpoint, and are told of as they are."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import cell
from tether.actors.checkpoint import Checkpoints, name
from tether.actors.storage import MemoryStorage
from tether.runners.restart import Restart
from tether.runners.returns import Returns

WORKER = "worker/0"


class Lives:
    """What is seen of the lives of one actor."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.handled: Counter[tuple[str, int]] = Counter()
        self.broken: list[str] = []
        self.returns = Returns(Checkpoints(self.storage), self.handled, self.broken.append)
        self.incarnation = 0

    def begin(self, incarnation: int | None = None) -> Lives:
        """Have the next incarnation made."""
        self.incarnation = self.incarnation + 1 if incarnation is None else incarnation
        self.returns.made(cell(WORKER, self.incarnation))
        return self

    def do(self, messages: int = 0, step: int | None = None) -> Lives:
        """Handle messages, then report a step."""
        self.handled[WORKER, self.incarnation] += messages
        if step is not None:
            self.returns.reported(WORKER, self.incarnation, step)
        return self

    def keep(self, cut: int, *, written: bool = True) -> Lives:
        """Copy the state, which a writer keeps a bit later, if it still can."""
        self.returns.keeping(cell(WORKER, self.incarnation), cut)
        if written:
            self.storage.write(name(WORKER, cut), [b""])
        return self

    def told(self, checkpoint: str = "", messages: int = 0, steps: int = 0) -> list[str]:
        """Have a return told; return what is wrong with it."""
        self.returns.restarted(
            Restart(
                9.0,
                WORKER,
                self.incarnation,
                "killed",
                1.0,
                checkpoint=checkpoint,
                rolled_back_messages=messages,
                rolled_back_steps=steps,
            )
        )
        return self.broken


def test_who_has_no_checkpoint_begins_afresh_and_has_lost_all_it_did() -> None:
    lives = Lives().begin().do(messages=5, step=3).begin()

    assert lives.told("", messages=5, steps=3) == []


def test_who_has_one_has_lost_what_it_did_since() -> None:
    lives = Lives().begin().do(messages=5, step=3).keep(1).do(messages=2, step=4).begin()

    assert lives.told("worker-0.1.safetensors", messages=2, steps=1) == []


def test_a_state_that_was_copied_but_never_written_does_not_count() -> None:
    lives = Lives().begin().do(messages=5, step=3).keep(1).do(messages=2, step=9)
    lives.keep(2, written=False).do(messages=1, step=10).begin()

    assert lives.told("worker-0.1.safetensors", messages=3, steps=7) == []


def test_of_two_deaths_each_is_counted_from_its_own_return() -> None:
    lives = Lives().begin().do(messages=5, step=3).keep(1).do(messages=2, step=4).begin()
    lives.told("worker-0.1.safetensors", messages=2, steps=1)

    lives.do(messages=7, step=5).begin()

    assert lives.told("worker-0.1.safetensors", messages=7, steps=2) == []


def test_who_keeps_its_state_before_it_reports_is_as_far_as_what_it_came_back_from() -> None:
    lives = Lives().begin().do(step=8).keep(1).begin().keep(2).do(step=9).begin()

    assert lives.told("worker-0.2.safetensors", steps=1) == []


def test_who_lost_its_checkpoints_begins_afresh() -> None:
    lives = Lives().begin().do(messages=5, step=3).keep(1)
    lives.storage.remove(name(WORKER, 1))
    lives.begin()

    assert lives.told("", messages=5, steps=3) == []


def test_an_incarnation_comes_but_once_and_later_than_all_before_it() -> None:
    lives = Lives().begin(2)

    lives.begin(2)
    lives.begin(1)

    assert lives.broken == [
        "worker/0 was made as incarnation 2 after 2",
        "worker/0 was made as incarnation 1 after 2",
    ]


def test_who_comes_back_from_another_checkpoint_than_its_last_breaks_the_promise() -> None:
    lives = Lives().begin().keep(1).keep(2).begin()

    lives.told("worker-0.1.safetensors")
    lives.told("")

    assert lives.broken == [
        ("worker/0 came back from worker-0.1.safetensors, but its last is worker-0.2.safetensors"),
        "worker/0 came back from afresh, but its last is worker-0.2.safetensors",
    ]


def test_who_comes_back_from_a_checkpoint_that_there_never_was_breaks_the_promise() -> None:
    lives = Lives().begin().begin()

    assert lives.told("worker-0.3.safetensors") == [
        "worker/0 came back from worker-0.3.safetensors, but its last is none"
    ]


def test_whatever_is_told_wrongly_to_be_rolled_back_breaks_the_promise() -> None:
    lives = Lives().begin().do(messages=5, step=3).keep(1).do(messages=2, step=4).begin()

    assert lives.told("worker-0.1.safetensors", messages=3, steps=0) == [
        "worker/0 came back as incarnation 2: 3 messages are told to be rolled back, but 2 are",
        "worker/0 came back as incarnation 2: 0 steps are told to be rolled back, but 1 are",
    ]


def test_actors_do_not_know_of_each_other() -> None:
    lives = Lives().begin().do(messages=5, step=3).keep(1)
    lives.returns.made(cell("worker/1"))
    lives.handled["worker/1", 1] = 4

    lives.returns.made(cell("worker/1", 2))
    lives.returns.restarted(Restart(9.0, "worker/1", 2, "killed", 1.0, rolled_back_messages=4))

    assert lives.broken == []


DOINGS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=8)


@given(st.lists(DOINGS, min_size=1, max_size=4))
def test_what_is_lost_is_what_was_done_since_the_last_state_was_kept(
    lives: list[list[tuple[int, int, bool]]],
) -> None:
    seen, cut, kept = Lives(), 0, (0, 0)

    for life in lives:
        seen.begin()
        messages, step = 0, kept[1]
        at_last = (0, step)
        for more, steps, keeps in life:
            messages, step = messages + more, step + steps
            seen.do(more, step)
            if keeps:
                cut += 1
                seen.keep(cut)
                at_last = kept = (messages, step)
        seen.begin()
        checkpoint = name(WORKER, cut) if cut else ""
        seen.told(checkpoint, messages - at_last[0], step - at_last[1])

    assert seen.broken == []
