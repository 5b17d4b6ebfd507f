"""Metrics survive what happens to a file that is being written when its process dies."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.runners.metrics import TAIL, MetricsFile, Report, curves, reports

names = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda name: name not in ("t", "actor", "step")
)
times = st.integers(0, 10**9).map(lambda microseconds: round(microseconds / 1e6, 6))
lines = st.builds(
    Report,
    times,
    st.text(st.characters(codec="utf-8")),
    st.none() | st.integers(0, 2**63),
    st.dictionaries(names, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)


def write(path: Path, *said: Report) -> Path:
    with MetricsFile(path) as file:
        for report in said:
            file.append(report.t, report.actor, report.step, report.metrics)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_a_line_is_one_flat_json_object(path: Path) -> None:
    write(path, Report(1.25, "worker/0", 10, {"loss": 0.3}))

    assert json.loads(path.read_text()) == {"t": 1.25, "actor": "worker/0", "step": 10, "loss": 0.3}


@given(st.lists(lines, max_size=5))
def test_what_is_appended_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, said: list[Report]
) -> None:
    path = write(tmp_path_factory.mktemp("run") / "metrics.jsonl", *said)

    assert list(reports(path)) == said


@given(said=st.lists(lines, min_size=1, max_size=4), lost=st.integers(1, 10_000))
def test_a_torn_last_line_costs_that_line_only(
    tmp_path_factory: pytest.TempPathFactory, said: list[Report], lost: int
) -> None:
    path = write(tmp_path_factory.mktemp("run") / "metrics.jsonl", *said)
    whole = path.read_bytes()
    last = whole[: whole[:-1].rfind(b"\n") + 1]
    path.write_bytes(whole[: max(len(last), len(whole) - lost)])

    assert list(reports(path)) == said[:-1]


@pytest.mark.parametrize("torn", ['{"t": 2.0, "act', "x" * 9000])
def test_appending_after_a_crash_cuts_the_torn_line_off(path: Path, torn: str) -> None:
    write(path, Report(1.0, "worker/0", 1, {"loss": 1.0}))
    path.write_text(path.read_text() + torn)

    write(path, Report(3.0, "worker/0", 3, {"loss": 0.5}))

    assert [report.t for report in reports(path)] == [1.0, 3.0]


def test_a_file_of_nothing_but_a_torn_line_becomes_empty(path: Path) -> None:
    path.write_text('{"t": 2.0')

    write(path)

    assert path.read_bytes() == b""


def test_a_new_file_has_no_time_to_go_on_from(path: Path) -> None:
    with MetricsFile(path) as file:
        assert file.last_t == 0.0


@given(st.lists(times, min_size=1, max_size=5))
def test_the_time_goes_on_from_the_latest_of_the_last_reports(
    tmp_path_factory: pytest.TempPathFactory, said: list[float]
) -> None:
    path = write(
        tmp_path_factory.mktemp("run") / "metrics.jsonl",
        *(Report(t, f"worker/{k}", k) for k, t in enumerate(said)),
    )

    with MetricsFile(path) as file:
        assert file.last_t == max(said)


def test_the_time_goes_on_from_the_last_whole_line(path: Path) -> None:
    write(path, Report(1.0, "worker/0", 1), Report(2.0, "worker/0", 2))
    path.write_text(path.read_text() + '{"t": 99.0, "act')

    with MetricsFile(path) as file:
        assert file.last_t == 2.0


@pytest.mark.parametrize("size", [TAIL - 100, TAIL, 5 * TAIL])
def test_the_time_goes_on_after_a_line_of_any_length(path: Path, size: int) -> None:
    write(path, Report(1.0, "worker/0", 1), Report(2.0, "a" * size, 2))

    with MetricsFile(path) as file:
        assert file.last_t == 2.0


def test_only_the_end_of_a_long_file_is_read_for_its_time(path: Path) -> None:
    path.write_text("no report\n" * TAIL)
    path.write_text(path.read_text() + '{"t": 1.5, "actor": "a"}\n' * TAIL)

    with MetricsFile(path) as file:
        assert file.last_t == 1.5


def test_a_run_does_not_go_on_from_what_is_no_report(path: Path) -> None:
    path.write_text("no report\n")

    with pytest.raises(ValueError, match=r"metrics.jsonl, among its last lines: .* is no report"):
        MetricsFile(path)


def test_flushed_lines_can_be_read_while_the_file_is_open(path: Path) -> None:
    with MetricsFile(path) as file:
        file.append(0.5, "worker/0", 1, {"loss": 2.0})
        file.flush()

        assert [report.step for report in reports(path)] == [1]


def test_a_loss_that_is_not_finite_is_null_in_the_file_and_nan_when_read(path: Path) -> None:
    write(path, Report(1.0, "worker/0", 1, {"loss": math.inf}))

    assert "null" in path.read_text()
    assert math.isnan(curves(path)["worker/0", "loss"].value[0])


def test_curves_are_by_actor_and_metric_in_the_order_reported(path: Path) -> None:
    write(
        path,
        Report(1.0, "worker/0", 10, {"loss": 0.5, "rate": 3.0}),
        Report(1.5, "worker/1", 10, {"loss": 0.7}),
        Report(2.0, "worker/0", 20, {"loss": 0.4}),
    )

    found = curves(path)

    assert sorted(found) == [("worker/0", "loss"), ("worker/0", "rate"), ("worker/1", "loss")]
    assert [list(axis) for axis in found["worker/0", "loss"]] == [[1.0, 2.0], [10, 20], [0.5, 0.4]]


def test_a_report_without_a_step_has_none_in_its_curve(path: Path) -> None:
    write(path, Report(1.0, "evaluator/0", None, {"accuracy": 0.9}))

    assert math.isnan(curves(path)["evaluator/0", "accuracy"].step[0])


def test_a_metric_may_not_take_the_name_of_a_field(path: Path) -> None:
    with MetricsFile(path) as file, pytest.raises(ValueError, match="worker/0 reports a metric"):
        file.append(1.0, "worker/0", 1, {"t": 3.0})


@pytest.mark.parametrize(
    "line", ["nonsense", "[1, 2]", '{"t": 1}', '{"t": 1, "actor": "a", "b": []}']
)
def test_a_line_that_is_no_report_is_named(path: Path, line: str) -> None:
    path.write_text('{"t": 1, "actor": "a"}\n' + line + "\n")

    with pytest.raises(
        ValueError, match=r"metrics.jsonl, line 2: .* is no report; an object of t, actor"
    ):
        list(reports(path))
