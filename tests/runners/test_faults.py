"""What a faults file says, and all that can be wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runners.worlds import HOSTED, plan
from tether.runners.distribution import Distribution, fixed
from tether.runners.faults import KEYS, NEEDED, Fault, read_faults
from tether.runners.network import Rule
from tether.runners.problems import WiringError

PLAN = plan(HOSTED)
ADDERS = (("adder/0",), ("adder/1",))
NAMES = "*, adder, adder/0, adder/1, counter, counter/0, left, right"

FILE = """
[[crash]]
actor = "adder"
at = { uniform = ["2s", "8s"] }
every = { exponential = "5s" }
times = 3

[[crash]]
host = "right"
at = "1m"
checkpoint = false

[[pause]]
actor = ["adder/1", "counter"]
at = "1s"
for = { uniform = ["10ms", "3s"] }

[[slow]]
actor = "counter/0"
for = "4s"
factor = 10

[[partition]]
between = ["left", "right"]
at = "5s"
for = "2s"

[[link]]
from = "adder"
at = "3s"
for = "2s"
loss = 0.5
latency = "200ms"
"""


def faults(text: str, folder: Path = Path()) -> list[Fault]:
    return read_faults(tomllib.loads(text), folder, PLAN)


def complaints(tables: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(WiringError) as caught:
        read_faults(tables, Path(), PLAN)
    return caught.value.problems


def test_an_empty_file_has_no_faults() -> None:
    assert faults("") == []


def test_a_file_says_what_goes_wrong_when_for_how_long_and_with_whom() -> None:
    again, both, pause, slow, partition, spoilt = faults(FILE)

    assert again == Fault(
        "crash",
        at=Distribution("uniform", (2.0, 8.0)),
        every=Distribution("exponential", (5.0,)),
        times=3,
        victims=ADDERS,
    )
    assert both == Fault(
        "crash", at=fixed(60.0), victims=(("adder/0", "adder/1"),), checkpoint=False
    )
    assert pause == Fault(
        "pause",
        at=fixed(1.0),
        lasts=Distribution("uniform", (0.01, 3.0)),
        victims=(("counter/0",), ("adder/1",)),
    )
    assert slow == Fault(
        "slow", at=fixed(0.0), lasts=fixed(4.0), victims=(("counter/0",),), factor=10.0
    )
    assert partition == Fault(
        "partition",
        at=fixed(5.0),
        lasts=fixed(2.0),
        rules=(Rule("left", "right", {}), Rule("right", "left", {})),
    )
    assert spoilt == Fault(
        "link",
        at=fixed(3.0),
        lasts=fixed(2.0),
        rules=(Rule("adder", "*", {"latency": fixed(0.2), "loss": 0.5}),),
    )


def test_of_several_hosts_each_is_a_victim_as_a_whole() -> None:
    (fault,) = faults('[[crash]]\nhost = ["left", "right"]')

    assert fault.victims == (("counter/0",), ("adder/0", "adder/1"))


def test_times_that_were_measured_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "crashes.txt").write_text("1\n2.5\n")

    (fault,) = faults('[[crash]]\nactor = "adder"\nat = { trace = "crashes.txt" }', tmp_path)

    assert fault.at == Distribution("trace", (1.0, 2.5))


@pytest.mark.parametrize("raws", [[{"actor": "adder"}], {"actor": "adder"}])
def test_a_kind_of_fault_that_there_is_not_is_told_which_there_are(raws: Any) -> None:
    (told,) = complaints({"crush": raws})

    assert told == (
        "[crush]: there is no such kind of fault (did you mean crash?); [[…]] may be crash, pause, "
        "slow, partition, link"
    )


def test_a_table_that_is_no_array_of_tables_is_told_so() -> None:
    (told,) = complaints({"crash": {"actor": "adder"}})

    assert told.startswith("[crash]: there is no such kind of fault (did you mean crash?); [[…]]")


@pytest.mark.parametrize(
    ("kind", "raw", "told"),
    [
        (
            "crash",
            {"actor": "adder", "for": "1s"},
            ".for: crash has no such key; it has at, every, times, actor, host, checkpoint",
        ),
        (
            "pause",
            {"actor": "adder", "for": "1s", "tims": 2},
            (
                ".tims: pause has no such key (did you mean times?); it has at, every, times, "
                "actor, host, for"
            ),
        ),
        ("pause", {"actor": "adder"}, ": `for` is missing"),
        ("slow", {"actor": "adder", "for": "1s"}, ": `factor` is missing"),
        ("partition", {"from": "adder"}, ": `for` is missing"),
        ("link", {"loss": 0.5}, ": `for` is missing"),
        ("crash", {}, ": either `actor` or `host` is wanted"),
        ("crash", {"actor": "adder", "host": "left"}, ": either `actor` or `host` is wanted"),
        (
            "crash",
            {"actor": "addre"},
            (
                ".actor = 'addre': there is no such actor, table or host (did you mean adder?); "
                f"there are {NAMES}"
            ),
        ),
        (
            "crash",
            {"host": ["left", "up"]},
            f".host = 'up': there is no such actor, table or host; there are {NAMES}",
        ),
        (
            "partition",
            {"from": "nobody", "for": "1s"},
            f".from = 'nobody': there is no such actor, table or host; there are {NAMES}",
        ),
        (
            "partition",
            {"between": "left", "for": "1s"},
            (
                '.between = \'left\': two names are wanted, as ["worker", "center"], and neither '
                "from nor to beside"
            ),
        ),
        (
            "crash",
            {"actor": "adder", "times": 2},
            ".times = 2: without `every` it strikes once; say how often, or leave this out",
        ),
        (
            "crash",
            {"actor": "adder", "every": 1, "times": 0},
            ".times = 0: a whole number from 1 on is wanted",
        ),
        (
            "crash",
            {"actor": "adder", "every": 1, "times": 1.5},
            ".times = 1.5: a whole number from 1 on is wanted",
        ),
        (
            "crash",
            {"actor": "adder", "every": 1, "times": True},
            ".times = true: a whole number from 1 on is wanted",
        ),
        (
            "crash",
            {"actor": "adder", "checkpoint": "lost"},
            ".checkpoint = 'lost': true is wanted, or false where its checkpoints are lost too",
        ),
        (
            "crash",
            {"actor": "adder", "at": "soon"},
            (
                ".at = 'soon': a time of 0 or more is wanted: seconds, or a text such as \"20ms\", "
                '"3s", "5m"'
            ),
        ),
        (
            "slow",
            {"actor": "adder", "for": "1s", "factor": 0},
            ".factor = 0: a factor above 0 is wanted",
        ),
        ("link", {"for": "1s", "loss": 2}, ".loss = 2: a share from 0 to 1 is wanted"),
    ],
)
def test_what_is_wrong_with_a_fault_is_told_with_its_number(
    kind: str, raw: dict[str, Any], told: str
) -> None:
    good = {"actor": "adder"} if kind in ("crash", "pause", "slow") else {}
    first = good | dict.fromkeys(NEEDED.get(kind, ()), 1)

    (sentence,) = complaints({kind: [first, raw]})

    assert sentence == f"[{kind}] [1]{told}"


def test_all_that_is_wrong_is_told_together() -> None:
    told = complaints({"crash": [{}, {"actor": "x"}], "slow": [{"actor": "adder"}], "quake": []})

    assert len(told) == 5


def test_an_actor_called_by_the_name_of_all_is_anybody() -> None:
    (fault,) = faults('[[crash]]\nactor = "*"')

    assert fault.victims == (("counter/0",), *ADDERS)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"actor": "left"}, "actor = 'left': this is the name of no actor"),
        ({"host": ["adder"]}, "host = ['adder']: this is the name of no host"),
    ],
)
def test_a_name_that_meets_nobody_is_told_of(raw: dict[str, Any], told: str) -> None:
    assert complaints({"crash": [raw]}) == (f"[crash] [0].{told}",)


def test_a_file_of_another_shape_is_told_so() -> None:
    fault, ends = complaints({"crash": [5], "link": [{"for": "1s", "to": ["left"]}]})

    assert fault == "[crash] [0] = 5: a table of its keys is wanted"
    assert ends == (
        "[link] [0].to = ['left']: there is no such actor, table or host (did you mean left?); "
        f"there are {NAMES}"
    )


def test_what_comes_again_without_a_pause_is_told_of() -> None:
    assert complaints({"crash": [{"actor": "adder", "every": 0}]}) == (
        ("[crash] [0].every = 0: it would strike for ever at one moment; a time above 0 is wanted"),
    )


WHEN = {"at": st.floats(0, 100), "every": st.floats(0.1, 100), "times": st.integers(1, 9)}
RAW = st.fixed_dictionaries({"for": st.floats(0, 9), "factor": st.floats(0.1, 9)}, optional=WHEN)


@given(st.lists(st.tuples(st.sampled_from([*KEYS]), RAW)))
def test_each_table_is_one_fault_with_its_times(raws: list[tuple[str, dict[str, Any]]]) -> None:
    tables: dict[str, Any] = {}
    for kind, raw in raws:
        with_whom = {"actor": "adder"} if "actor" in KEYS[kind] else {"to": "left"}
        known = {key: value for key, value in raw.items() if key in KEYS[kind]}
        if "every" not in known:
            known.pop("times", None)
        tables.setdefault(kind, []).append(known | with_whom)

    found = read_faults(tables, Path(), PLAN)

    flat = [(kind, raw) for kind, given in tables.items() for raw in given]
    assert [fault.kind for fault in found] == [kind for kind, _ in flat]
    assert [fault.at for fault in found] == [fixed(raw.get("at", 0.0)) for _, raw in flat]
    assert [fault.lasts for fault in found] == [fixed(raw.get("for", 0.0)) for _, raw in flat]
    assert [fault.times for fault in found] == [raw.get("times") for _, raw in flat]
    assert [fault.every is None for fault in found] == ["every" not in raw for _, raw in flat]
    assert all(bool(fault.victims) != bool(fault.rules) for fault in found)
