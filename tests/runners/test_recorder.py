"""What a run tells is written down as it comes, and shown as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tether.runners.metrics import MetricsFile
from tether.runners.recorder import Recorder
from tether.runners.restart import Restart
from tether.runners.silence import Silence
from tether.runners.summary import Change, Queue, Stall

BACK = Restart(7.0, "worker/2", 2, "killed", 0.3, "worker-2.7.safetensors", 120, 14, 9)


class Showing(Silence):
    """An audience that remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def started(self, actor: str, pid: int) -> None:
        self.seen.append(("started", actor, pid))

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        self.seen.append(("reported", actor, t, step, dict(metrics)))

    def traffic(self, actor: str, messages: int, bytes: int) -> None:  # noqa: A002
        self.seen.append(("traffic", actor, messages, bytes))

    def queues(self, actor: str, waiting: int, held: int) -> None:
        self.seen.append(("queues", actor, waiting, held))

    def ended(self, actor: str) -> None:
        self.seen.append(("ended", actor))

    def down(self, actor: str, why: str, delay: float) -> None:
        self.seen.append(("down", actor, why, delay))

    def bereaved(self, actor: str, why: str, delay: float) -> None:
        self.seen.append(("bereaved", actor, why, delay))

    def restarted(self, restart: Restart) -> None:
        self.seen.append(("restarted", restart))

    def gave_up(self, actor: str, why: str) -> None:
        self.seen.append(("gave_up", actor, why))

    def unreachable(self, actor: str, why: str) -> None:
        self.seen.append(("unreachable", actor, why))

    def reachable(self, actor: str) -> None:
        self.seen.append(("reachable", actor))

    def hung(self, actor: str, why: str) -> None:
        self.seen.append(("hung", actor, why))

    def slow(self, actor: str, why: str) -> None:
        self.seen.append(("slow", actor, why))

    def stalled(self, text: str, seconds: float) -> None:
        self.seen.append(("stalled", text, seconds))

    def joined(self, actor: str) -> None:
        self.seen.append(("joined", actor))

    def left(self, actor: str) -> None:
        self.seen.append(("left", actor))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def show() -> Showing:
    return Showing()


@pytest.fixture
def recorder(path: Path, show: Showing) -> Iterator[Recorder]:
    times = iter(range(1, 100))
    with MetricsFile(path) as metrics:
        yield Recorder(metrics, show, lambda: float(next(times)))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("started", ("a/0", 1)),
        ("reported", ("a/0", 0.5, 3, {"loss": 1.0})),
        ("traffic", ("a/0", 7, 100)),
        ("queues", ("a/0", 7, 2)),
        ("ended", ("a/0",)),
        ("down", ("a/0", "killed", 0.1)),
        ("bereaved", ("a/0", "b/0 is gone", 0.1)),
        ("restarted", (BACK,)),
        ("gave_up", ("a/0", "no more")),
        ("unreachable", ("a/0", "silent")),
        ("reachable", ("a/0",)),
        ("hung", ("a/0", "A.block")),
        ("slow", ("a/0", "no step")),
        ("stalled", ("a/0: A.block has held the event loop", 1.5)),
        ("joined", ("a/0",)),
        ("left", ("a/0",)),
    ],
)
def test_all_is_passed_on_as_it_was_told(
    recorder: Recorder, show: Showing, name: str, details: tuple[Any, ...]
) -> None:
    getattr(recorder, name)(*details)

    assert show.seen == [(name, *details)]


def test_reports_are_written_down_and_the_last_accuracy_is_kept(
    recorder: Recorder, path: Path
) -> None:
    recorder.reported("a/0", 0.5, 3, {"accuracy": 0.25})
    recorder.reported("a/0", 0.6, 4, {"loss": 1.0})
    recorder.traffic("a/0", 7, 100)

    assert lines(path) == [
        {"t": 0.5, "actor": "a/0", "step": 3, "accuracy": 0.25},
        {"t": 0.6, "actor": "a/0", "step": 4, "loss": 1.0},
    ]
    assert recorder.accuracy == 0.25


def test_what_a_restart_undid_is_a_report_of_the_actor(recorder: Recorder, path: Path) -> None:
    recorder.restarted(BACK)
    recorder.restarted(Restart(8.0, "center/0", 3, "killed", 0.1))
    recorder.metrics.flush()

    assert lines(path) == [
        {
            "t": 7.0,
            "actor": "worker/2",
            "step": 120,
            "rolled_back": 14,
            "rolled_back_steps": 9,
            "incarnation": 2,
        },
        {"t": 8.0, "actor": "center/0", "rolled_back": 0, "rolled_back_steps": 0, "incarnation": 3},
    ]
    assert [one.actor for one in recorder.restarts] == ["worker/2", "center/0"]


def test_what_the_summary_tells_is_kept(recorder: Recorder) -> None:
    recorder.gave_up("a/0", "3 restarts in 60 s were not enough")
    recorder.stalled("b/0: B.block has held the event loop for 1.5 s", 1.5)
    recorder.joined("c/1")
    recorder.left("c/1")

    assert recorder.gave_up_on == {"a/0": "3 restarts in 60 s were not enough"}
    assert recorder.stalls == [Stall("b/0: B.block has held the event loop for 1.5 s", 1.5)]
    assert recorder.membership == [Change(1.0, "c/1", "joined"), Change(2.0, "c/1", "left")]


def test_the_longest_queues_of_each_actor_are_kept(recorder: Recorder) -> None:
    for waiting, held in ((3, 0), (31, 0), (1, 2)):
        recorder.queues("center/0", waiting, held)
    recorder.queues("worker/0", 0, 1)

    assert recorder.peaks == {"center/0": Queue(31, 2), "worker/0": Queue(0, 1)}


def test_the_time_of_a_resumed_run_goes_on(path: Path, show: Showing) -> None:
    with MetricsFile(path) as before:
        before.append(1000.0, "a/0", 1, {"loss": 1.0})

    with MetricsFile(path) as metrics:
        recorder = Recorder(metrics, show)
        recorder.joined("a/1")

    assert recorder.membership[0].t >= 1000.0
