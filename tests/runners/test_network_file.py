"""What a network file says, and all that can be wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import HOSTED, plan
from tether.runners.distribution import Distribution, fixed
from tether.runners.network import Network, Rule
from tether.runners.network_file import known_names, load, read_network, tables_of
from tether.runners.problems import WiringError

PLAN = plan(HOSTED)
NOBODY = (
    "there is no such actor, table or host; there are *, adder, adder/0, adder/1, counter, "
    "counter/0, left, right"
)

FILE = """
start = "1s"
line = { uniform = ["1ms", "3ms"] }
resend = "500ms"

[[link]]
latency = { lognormal = ["20ms", 0.3] }
bandwidth = "100Mbit/s"

[[link]]
from = "adder/0"
to = "counter"
loss = 0.05
duplicate = 0.01
reorder = 0.02
late = "50ms"

[[link]]
between = ["left", "right"]
loss = 0.5

[compute]
"*" = "15ms"
adder = { lognormal = ["10ms", 0.2] }

[compute."adder/1"]
gradient = "40ms"
step = { uniform = ["1ms", "2ms"] }
"""


def network(text: str, folder: Path = Path()) -> Network:
    return read_network(tomllib.loads(text), folder, PLAN)


def complaints(tables: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(WiringError) as caught:
        read_network(tables, Path(), PLAN)
    return caught.value.problems


def test_an_empty_file_is_the_usual_network() -> None:
    assert network("") == Network([], {})


def test_a_file_says_how_packets_fare_and_what_work_costs() -> None:
    found = network(FILE)

    assert found.start == fixed(1.0)
    assert found.line == Distribution("uniform", (0.001, 0.003))
    assert found.resend == 0.5
    assert found.rules == [
        Rule("*", "*", {"latency": Distribution("lognormal", (0.02, 0.3)), "bandwidth": 12.5e6}),
        Rule(
            "adder/0",
            "counter",
            {"loss": 0.05, "duplicate": 0.01, "reorder": 0.02, "late": pytest.approx(0.05)},
        ),
        Rule("left", "right", {"loss": 0.5}),
        Rule("right", "left", {"loss": 0.5}),
    ]
    assert found.compute == {
        "*": {"gradient": fixed(0.015)},
        "adder": {"gradient": Distribution("lognormal", (0.01, 0.2))},
        "adder/1": {
            "gradient": fixed(0.04),
            "step": Distribution("uniform", (0.001, 0.002)),
        },
    }


def test_times_that_were_measured_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "measured.txt").write_text("0.1\n0.2\n")

    found = network('[compute]\nadder = { trace = "measured.txt" }', tmp_path)

    assert found.compute["adder"] == {"gradient": Distribution("trace", (0.1, 0.2))}


def test_all_names_are_those_of_the_plan() -> None:
    assert known_names(PLAN) == {
        "counter", "counter/0", "adder", "adder/0", "adder/1", "left", "right", "*"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            {"latency": "1ms"},
            "latency: there is no such key; there are compute, line, link, resend, start",
        ),
        (
            {"links": []},
            (
                "links: there is no such key (did you mean link?); there are compute, line, link, "
                "resend, start"
            ),
        ),
        (
            {"start": "soon"},
            (
                "[network] start = 'soon': a time of 0 or more is wanted: seconds, or a text such "
                'as "20ms", "3s", "5m"'
            ),
        ),
        (
            {"resend": -1},
            (
                "[network] resend = -1: a time of 0 or more is wanted: seconds, or a text such as "
                '"20ms", "3s", "5m"'
            ),
        ),
        (
            {"compute": {"addr": "1ms"}},
            (
                "[compute] addr = 'addr': there is no such actor, table or host (did you mean "
                "adder?); there are *, adder, adder/0, adder/1, counter, counter/0, left, right"
            ),
        ),
        (
            {"compute": {"adder": {"gradient": "soon"}}},
            (
                "[compute] adder.gradient = 'soon': a time of 0 or more is wanted: seconds, or a "
                'text such as "20ms", "3s", "5m"'
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(tables: dict[str, Any], told: str) -> None:
    assert complaints(tables) == (told,)


@pytest.mark.parametrize(
    ("link", "told"),
    [
        (
            {"lattency": "1ms"},
            (
                "lattency: there is no such key (did you mean latency?); there are from, to, "
                "between, bandwidth, duplicate, late, latency, loss, reorder"
            ),
        ),
        (
            {"from": "addre"},
            (
                "from = 'addre': there is no such actor, table or host (did you mean adder?); "
                "there are *, adder, adder/0, adder/1, counter, counter/0, left, right"
            ),
        ),
        (
            {"between": ["adder", "middle"]},
            (
                "between = 'middle': there is no such actor, table or host; there are *, adder, "
                "adder/0, adder/1, counter, counter/0, left, right"
            ),
        ),
        (
            {"between": ["adder"]},
            (
                'between = [\'adder\']: two names are wanted, as ["worker", "center"], and neither '
                "from nor to beside"
            ),
        ),
        (
            {"between": ["adder", "counter"], "to": "left"},
            (
                "between = ['adder', 'counter']: two names are wanted, as [\"worker\", "
                '"center"], and neither from nor to beside'
            ),
        ),
        ({"loss": 2}, "loss = 2: a share from 0 to 1 is wanted"),
        ({"duplicate": -1}, "duplicate = -1: a share from 0 to 1 is wanted"),
        ({"reorder": "often"}, "reorder = 'often': a share from 0 to 1 is wanted"),
        (
            {"bandwidth": 1e9},
            'bandwidth = 1000000000.0: a rate above 0 is wanted, such as "1GB/s" or "100Mbit/s"',
        ),
        (
            {"late": "later"},
            (
                "late = 'later': a time of 0 or more is wanted: seconds, or a text such as "
                '"20ms", "3s", "5m"'
            ),
        ),
        (
            {"latency": {"uniform": "1ms"}},
            (
                "latency.uniform = '1ms': the shortest and the longest are wanted, as "
                '["10ms", "30ms"]'
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_link_is_told_with_its_number(link: dict[str, Any], told: str) -> None:
    (sentence,) = complaints({"link": [{}, link]})

    assert sentence == f"[link] [1].{told}"


def test_all_that_is_wrong_is_told_together() -> None:
    told = complaints({"start": "soon", "link": [{"loss": 2}, {"from": "x"}], "nothing": 1})

    assert len(told) == 4


def test_a_file_is_read_as_tables(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(FILE)

    assert load(path) == load(str(path)) == tomllib.loads(FILE)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"start = = 1", r"Invalid value \(at line 1"), (b"\xff", "'utf-8' codec can't decode")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "network.toml"
    path.write_bytes(content)

    with pytest.raises(WiringError, match=rf"network\.toml cannot be read: {why}"):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WiringError, match=r"none\.toml cannot be read: \[Errno 2\] No such file"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            {"link": {"loss": 0.5}},
            "[link] = {'loss': 0.5}: tables are wanted, each headed [[link]]",
        ),
        ({"link": [{}, 5]}, "[link] [1] = 5: a table of its keys is wanted"),
        ({"compute": "10ms"}, "[compute] = '10ms': a table of times by name is wanted"),
        (
            {"link": [{"from": ["adder", "left"]}]},
            f"[link] [0].from = ['adder', 'left']: {NOBODY}",
        ),
    ],
)
def test_a_file_of_another_shape_is_told_so(tables: dict[str, Any], told: str) -> None:
    assert complaints(tables) == (told,)


ENDS = st.sampled_from(sorted(known_names(PLAN)))
LINKS = st.fixed_dictionaries(
    {},
    optional={
        "from": ENDS, "to": ENDS, "loss": st.floats(0, 1), "late": st.floats(0, 100),
        "latency": st.floats(0, 100),
    },
)  # fmt: skip


@given(st.lists(LINKS))
def test_each_link_is_one_rule_with_its_keys(links: list[dict[str, Any]]) -> None:
    found = read_network({"link": links}, Path(), PLAN)

    assert [(rule.source, rule.target) for rule in found.rules] == [
        (link.get("from", "*"), link.get("to", "*")) for link in links
    ]
    assert [rule.keys.get("loss") for rule in found.rules] == [link.get("loss") for link in links]
    assert [rule.keys.keys() for rule in found.rules] == [
        link.keys() - {"from", "to"} for link in links
    ]


def test_tables_are_given_as_such_or_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text('start = "1s"\n')
    tables = {"start": "2s"}

    assert tables_of(None) == ({}, Path.cwd())
    assert tables_of(tables) == (tables, Path.cwd())
    assert tables_of(path) == tables_of(str(path)) == ({"start": "1s"}, tmp_path)
