"""The network of a simulation: which rule holds for whom, and what computing costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import HOSTED, plan
from tether.runners.distribution import Distribution, fixed
from tether.runners.network import Network, Route, Rule, names_of

WORKER = frozenset({"worker/0", "worker", "fast", "*"})
CENTER = frozenset({"center/0", "center", "*"})
SLOW = fixed(0.5)


def test_without_rules_packets_take_a_tenth_of_a_millisecond_and_ten_gigabits_a_second() -> None:
    route = Network().route(WORKER, CENTER)

    assert route == Route(fixed(1e-4), 1.25e9, 0.0, 0.0, 0.0, 0.01)


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        ("worker/0", "center/0", True),
        ("worker", "center", True),
        ("fast", "*", True),
        ("*", "*", True),
        ("center", "worker", False),
        ("worker/1", "*", False),
        ("*", "worker", False),
    ],
)
def test_a_rule_holds_for_an_actor_a_table_a_host_or_all(
    source: str, target: str, fits: bool
) -> None:
    network = Network([Rule(source, target, {"latency": SLOW})])

    assert network.rules[0].fits(WORKER, CENTER) is fits
    assert (network.route(WORKER, CENTER).latency == SLOW) is fits


def test_of_two_rules_the_later_one_holds_key_by_key() -> None:
    network = Network(
        [
            Rule("*", "*", {"latency": fixed(1.0), "loss": 0.5}),
            Rule("worker", "center", {"latency": fixed(2.0)}),
            Rule("center", "worker", {"loss": 0.25}),
        ]
    )

    there, back = network.route(WORKER, CENTER), network.route(CENTER, WORKER)

    assert there == Route(latency=fixed(2.0), loss=0.5)
    assert back == Route(latency=fixed(1.0), loss=0.25)


@pytest.mark.parametrize(
    ("keys", "loses"),
    [({"loss": 0.1}, True), ({"loss": 0.0}, False), ({"latency": SLOW}, False), ({}, False)],
)
def test_a_rule_knows_whether_it_loses_anything(keys: dict[str, Any], loses: bool) -> None:
    assert Rule("*", "*", keys).loses is loses


def test_without_a_word_a_gradient_takes_10_ms_and_nothing_else_any_time() -> None:
    assert Network().cost("worker/0") == {"gradient": fixed(0.01)}


def test_the_nearer_name_says_what_work_costs() -> None:
    network = Network(
        compute={
            "worker/1": {"gradient": fixed(4.0)},
            "worker": {"gradient": fixed(3.0), "step": fixed(0.5)},
            "*": {"gradient": fixed(2.0), "evaluate": fixed(9.0)},
        }
    )

    assert network.cost("worker/1") == {
        "gradient": fixed(4.0), "step": fixed(0.5), "evaluate": fixed(9.0)
    }  # fmt: skip
    assert network.cost("worker/0")["gradient"] == fixed(3.0)
    assert network.cost("center/0") == {"gradient": fixed(2.0), "evaluate": fixed(9.0)}


def test_without_a_word_processes_take_their_time_to_start_and_to_speak() -> None:
    network = Network()

    assert network.start == fixed(0.2)
    assert network.line == Distribution("uniform", (1e-4, 2e-3))
    assert network.resend == 0.2


def test_a_process_bears_the_names_of_its_actors_their_tables_and_hosts_and_of_all() -> None:
    counter, *adders = plan(HOSTED)

    assert names_of([counter]) == {"counter/0", "counter", "left", "*"}
    assert names_of(adders) == {"adder/0", "adder/1", "adder", "right", "*"}
    assert names_of([plan().actor("counter")]) == {"counter/0", "counter", "*"}
    assert names_of([]) == {"*"}


NAMES = st.sampled_from(["*", "worker", "worker/0", "center", "nobody"])
RULES = st.lists(
    st.builds(
        Rule,
        NAMES,
        NAMES,
        st.fixed_dictionaries({}, optional={"loss": st.floats(0, 1), "late": st.floats(0, 9)}),
    )
)


@given(RULES)
def test_each_key_is_that_of_the_last_rule_which_fits_and_has_it(rules: list[Rule]) -> None:
    route = Network(rules).route(WORKER, CENTER)

    for key, usual in (("loss", 0.0), ("late", 0.01)):
        said = [rule.keys[key] for rule in rules if rule.fits(WORKER, CENTER) and key in rule.keys]
        assert getattr(route, key) == [usual, *said][-1]
