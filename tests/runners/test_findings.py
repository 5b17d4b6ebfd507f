"""What a simulation found is plain data with the numbers of the run, and survives its file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runners.test_simulate import troubled, written
from tether.runners.findings import FILE, Findings, Stale, _compressed, _course, _messages, _stale
from tether.runners.gauge import Age, Ages, Look
from tether.runners.medium import Count
from tether.runners.result import Result
from tether.runners.simulate import Played, Setting, play
from tether.runners.trace import Trace

NUMBERS = Findings(
    name="easgd",
    seed=7,
    outcome="failed",
    reason="worker/0 was given up",
    seconds=12.25,
    events=9001,
    messages={"sent": 12, "handled": 9, "dropped": 1, "unknown": 1, "in_flight": 1},
    links={"worker → center": Count(40, 2_500_000, 3, 2, 1)},
    staleness=[Stale("worker → center", 9, 0.002, 0.25, 1.5, 2.0, 31)],
    disagreement={"worker": (0.5, 0.25, 0.125)},
    losses={"worker": (2.5, 0.5)},
    faults={"crash": 4, "pause": 1},
    restarts=3,
    rolled_back=62,
    gave_up={"worker/0": "3 restarts in 60 s were not enough"},
    leaks=5,
    broken=["at 3 s: Conservation: x̃ is off by 1"],
    problems=["the state of worker/0 could not be kept"],
    trace="c0ffee",
    compressed={"worker → center": {"raw": 4_000_000, "packed": 1_000_000, "error": 8000.0}},
)
finite = st.floats(allow_nan=False)
found = st.builds(
    replace,
    st.just(NUMBERS),
    reason=st.text(max_size=5),
    seconds=finite,
    links=st.dictionaries(st.text(max_size=5), st.builds(Count, *5 * [st.integers(0, 1 << 60)])),
    disagreement=st.dictionaries(st.text(max_size=5), st.tuples(finite, finite, finite)),
    losses=st.dictionaries(st.text(max_size=5), st.tuples(finite, finite)),
    broken=st.lists(st.text(max_size=5)),
)


def played(tmp_path: Path, *sets: str, faults: bool = False) -> Played:
    setting = replace(written(tmp_path), sets=sets)
    return play(troubled(setting) if faults else setting, 1)


@pytest.fixture(autouse=True)
def nothing_stays_imported() -> Iterator[None]:
    yield
    for name in ("sums", "sums_invariants"):
        sys.modules.pop(name, None)


@settings(deadline=None)
@given(found)
def test_what_is_written_as_json_is_read_back(findings: Findings) -> None:
    text = json.dumps(findings.to_json())

    assert Findings.from_json(json.loads(text)) == findings


def test_all_that_was_found_stands_in_the_file(tmp_path: Path) -> None:
    NUMBERS.write(tmp_path)

    text = (tmp_path / FILE).read_text(encoding="utf-8")
    plain = json.loads(text)
    assert set(plain) == {field.name for field in fields(Findings)}
    assert plain["links"]["worker → center"] == {
        "packets": 40, "bytes": 2_500_000, "lost": 3, "doubled": 2, "late": 1,
    }  # fmt: skip
    assert plain["staleness"][0]["most_messages"] == 31
    assert "x̃ is off by 1" in text
    assert Findings.from_json(plain) == NUMBERS


def account(sent: int, handled: int, unknown: int = 0, flying: int = 0, **dropped: int) -> Any:
    counts = {"sent": sent, "handled": handled, "unknown": unknown, "in_flight": flying}
    return {"from": "a/0", "to": "b/0", **counts, "dropped": dropped}


def test_the_accounts_of_all_actors_are_added_up() -> None:
    records: dict[str, Any] = {
        "a/0": {"accounts": [account(5, 3, dead=1, expired=1), account(4, 2, 1, 1)]},
        "b/0": {"accounts": [account(10, 10)]},
        "c/0": {"accounts": []},
    }

    found = _messages(Result("finished", records=records))

    assert found == {"sent": 19, "handled": 15, "dropped": 2, "unknown": 1, "in_flight": 1}


def test_what_codecs_saved_and_cost_is_added_up_by_tables() -> None:
    one = account(5, 5) | {"compressed": {"raw": 8, "packed": 4, "error": 0.5}}
    records: dict[str, Any] = {
        "a/0": {"actor": "a/0", "accounts": [one, account(1, 1)]},
        "a/1": {"actor": "a/1", "accounts": [one]},
    }

    found = _compressed(Result("finished", records=records))

    assert found == {"a → b": {"raw": 16, "packed": 8, "error": 1.0}}


def test_a_run_without_messages_has_accounts_of_zeros() -> None:
    assert set(_messages(Result("failed")).values()) == {0}


def test_staleness_is_the_quantiles_of_the_ages_and_the_oldest_of_all() -> None:
    ages = Ages(100, 0.75, 9, [Age(0.3, 4), Age(0.1, 0), Age(0.2, 1)])

    assert _stale(("worker", "center"), ages) == Stale("worker → center", 100, 0.2, 0.3, 0.75, 1, 9)


def test_a_course_is_the_first_the_median_and_the_last_mean() -> None:
    looks = [Look(float(t), mean, 9.0) for t, mean in enumerate((1.0, 8.0, 2.0, 4.0))]

    assert _course(looks) == (1.0, 3.0, 4.0)


def test_a_calm_run_finds_what_its_actors_did(tmp_path: Path) -> None:
    one = played(tmp_path)

    found, simulation = one.findings, one.simulation
    assert (found.name, found.seed, found.outcome) == ("sums", 1, "finished")
    assert found.messages["sent"] == found.messages["handled"] == 20
    assert 500 < found.events <= simulation.loop.events
    assert set(found.links) == {"adder → counter", "counter → adder"}
    (stale,) = found.staleness
    assert (stale.edge, stale.count) == ("adder → counter", 20)
    assert 1e-4 <= stale.median <= stale.p95 <= stale.oldest
    assert (found.disagreement, found.faults, found.restarts, found.leaks) == ({}, {}, 0, 0)
    assert (found.gave_up, list(found.broken), found.trace) == ({}, [], "")


def test_losses_are_the_medians_of_a_tables_first_and_last_ones(tmp_path: Path) -> None:
    found = played(tmp_path, "adder.count=3").findings

    assert found.losses == {"adder": (2.0, 0.2)}


def test_what_went_between_processes_is_added_up_by_tables(tmp_path: Path) -> None:
    one = played(tmp_path)

    edges = one.simulation.medium.edges
    both = [edges[f"adder-{k}", "counter-0"].count for k in range(2)]
    assert one.findings.links["adder → counter"] == Count(
        *(sum(getattr(count, name) for count in both) for name in Count.__slots__)
    )
    assert min(count.packets for count in both) >= 10


def test_a_process_of_several_tables_has_all_their_names(tmp_path: Path) -> None:
    wiring = written(tmp_path).wiring
    wiring.write_text(wiring.read_text() + '[other]\nactor = "sums:Counter"\nbeside = "counter"\n')

    found = play(Setting(wiring), 1).findings

    assert set(found.links) == {"adder → counter+other", "counter+other → adder"}


def test_faults_and_returns_are_counted(tmp_path: Path) -> None:
    one = played(tmp_path, faults=True)

    (restart,) = one.simulation.tally.restarts
    assert one.findings.faults == {"crash": 1}
    assert (one.findings.restarts, one.findings.gave_up) == (1, {})
    assert one.findings.rolled_back == restart.rolled_back_messages


def test_who_is_given_up_is_found_with_the_reason(tmp_path: Path) -> None:
    found = played(tmp_path, "adder.max_restarts=0", faults=True).findings

    assert found.outcome == "failed"
    assert list(found.gave_up) in (["adder/0"], ["adder/1"])
    assert all(name in found.reason for name in found.gave_up)


def test_disagreement_is_found_of_actors_that_learn(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "easgd" / "simulated.toml"

    one = play(Setting(example, ["worker.steps=12"]), 1)

    looks = one.simulation.disagreement.tables["worker"]
    assert one.findings.disagreement == {"worker": _course(looks)}
    assert list(one.findings.losses) == ["worker"]


def test_a_traced_run_has_the_digest_of_its_trace(tmp_path: Path) -> None:
    trace = Trace()

    found = play(written(tmp_path), 1, trace).findings

    assert found.trace == trace.digest
    assert trace.lines > 40
