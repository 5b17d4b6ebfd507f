"""What a simulated run tells of itself, kept in memory."""

from __future__ import annotations

from tether.runners.restart import Restart
from tether.runners.summary import Change, Queue
from tether.runners.tally import Report, Span, Tally


class Clock:
    """Stands where it is set."""

    t = 0.0

    def now(self) -> float:
        return self.t


def tally(clock: Clock | None = None, *, every: bool = True) -> Tally:
    return Tally((clock or Clock()).now, returned=lambda _: None, every=every)


def restart(actor: str) -> Restart:
    return Restart(3.0, actor, 2, "killed", 1.0)


def test_all_reports_are_kept_and_the_first_and_last_that_have_a_loss() -> None:
    told = tally()

    for t, step, metrics in (
        (0.5, None, {"accuracy": 0.1}),
        (1.0, 1, {"loss": 4.0}),
        (2.0, 2, {"loss": 2.0, "accuracy": 0.5}),
        (3.0, 3, {"accuracy": 0.6}),
    ):
        told.reported("worker/0", t, step, metrics)
    told.reported("worker/1", 2.5, 1, {"loss": 9.0})

    assert [report.t for report in told.reports] == [0.5, 1.0, 2.0, 3.0, 2.5]
    assert told.first["worker/0"] == Report(1.0, "worker/0", 1, {"loss": 4.0})
    assert told.last["worker/0"].metrics["loss"] == 2.0
    assert told.first["worker/1"] is told.last["worker/1"]


def test_only_the_first_and_last_losses_are_kept_if_no_more_is_wanted() -> None:
    told = tally(every=False)

    for t in range(5):
        told.reported("worker/0", float(t), t, {"loss": 10.0 - t})

    assert told.reports == []
    losses = [kept["worker/0"].metrics["loss"] for kept in (told.first, told.last)]
    assert losses == [10.0, 6.0]


def test_of_queues_the_longest_are_kept_each_for_itself() -> None:
    told = tally()

    told.queues("center/0", 3, 0)
    told.queues("center/0", 1, 7)
    told.queues("worker/0", 0, 0)

    assert told.peaks == {"center/0": Queue(3, 7), "worker/0": Queue(0, 0)}


def test_a_death_lasts_until_the_return() -> None:
    clock = Clock()
    returned: list[Restart] = []
    told = Tally(clock.now, returned.append)

    clock.t = 2.0
    told.down("worker/0", "killed", 0.5)
    clock.t = 2.5
    told.down("worker/0", "killed while it came back", 0.5)
    clock.t = 4.0
    told.restarted(restart("worker/0"))

    assert told.spans == [Span("worker/0", "down", 2.0, 4.0)]
    assert told.restarts == returned == [restart("worker/0")]


def test_a_silence_lasts_until_something_is_heard_whatever_else_happens() -> None:
    clock = Clock()
    told = tally(clock)

    told.unreachable("worker/0", "its host is silent")
    clock.t = 1.0
    told.down("worker/0", "killed", 0.5)
    clock.t = 2.0
    told.reachable("worker/0")
    told.reachable("worker/1")
    clock.t = 3.0
    told.restarted(restart("worker/0"))

    assert told.spans == [
        Span("worker/0", "unreachable", 0.0, 2.0), Span("worker/0", "down", 1.0, 3.0)
    ]  # fmt: skip


def test_a_return_of_one_that_nobody_saw_die_is_no_span() -> None:
    told = tally()

    told.restarted(restart("worker/0"))

    assert told.spans == []


def test_who_was_given_up_is_dead_to_the_end() -> None:
    clock = Clock()
    told = tally(clock)

    clock.t = 1.0
    told.down("worker/0", "killed", 0.5)
    clock.t = 2.0
    told.gave_up("worker/0", "it died 4 times")
    told.gave_up("worker/1", "it could not be made")
    told.unreachable("worker/2", "its host is silent")
    clock.t = 5.0
    told.end()
    told.end()

    assert told.gave_up_on == {
        "worker/0": "it died 4 times", "worker/1": "it could not be made"
    }  # fmt: skip
    assert told.spans == [
        Span("worker/0", "down", 1.0, 5.0),
        Span("worker/1", "down", 2.0, 5.0),
        Span("worker/2", "unreachable", 2.0, 5.0),
    ]


def test_who_came_and_went_is_kept_with_the_time() -> None:
    clock = Clock()
    told = tally(clock)

    clock.t = 1.0
    told.joined("worker/3")
    clock.t = 2.0
    told.left("worker/3")

    assert told.membership == [
        Change(1.0, "worker/3", "joined"), Change(2.0, "worker/3", "left")
    ]  # fmt: skip


def test_all_else_that_an_audience_sees_does_not_matter() -> None:
    told = tally()

    told.started("worker/0", 1)
    told.traffic("worker/0", 3, 100)
    told.hung("worker/0", "its event loop is held up")
    told.ended("worker/0")

    assert (told.reports, told.spans, told.restarts) == ([], [], [])
