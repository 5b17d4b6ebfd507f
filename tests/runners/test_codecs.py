"""The table [edges]: what it says to the runtime, and what it may not say.

What is wrong with it in a file is among the broken wirings, which test_linker.py goes through.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tether.actors.compression import CODECS, Way
from tether.runners.codecs import lines, read_edges, ways
from tether.runners.linker import link
from tether.runners.problems import Problems, WiringError
from tether.runners.spec import CodecSpec, Plan
from tether.runners.wiring import override

BROKEN = Path(__file__).parent / "broken"
TABLES = (
    '[center]\nactor = "pieces:Center"\n[worker]\nactor = "pieces:Worker"\ncenter = "@center"\n'
)


def linked(edges: str, sets: tuple[str, ...] = ()) -> Plan:
    tables = tomllib.loads(f"{TABLES}[edges]\n{edges}")
    return link(override(tables, sets), BROKEN, name="wiring")


def test_a_file_without_edges_compresses_nothing() -> None:
    plan = link(tomllib.loads(TABLES), BROKEN, name="wiring")

    assert plan.codecs == ()
    assert ways(plan) == {}
    assert lines(plan) == []


def test_each_direction_has_a_codec_of_its_own() -> None:
    text = (
        '"worker -> center" = { codec = "topk", share = 0.01 }\n"center->worker".codec = "bf16"\n'
    )

    plan = linked(text)

    assert ways(plan) == {
        ("worker", "center"): Way(CODECS["topk"], {"share": 0.01}),
        ("center", "worker"): Way(CODECS["bf16"]),
    }
    assert lines(plan) == [
        "[edges] worker -> center: topk, share 0.01",
        "[edges] center -> worker: bf16",
    ]


def test_what_is_not_given_has_its_default() -> None:
    plan = linked('"worker -> center" = { codec = "int8" }')

    assert plan.codecs == (CodecSpec("worker", "center", "int8", {"rounding": "nearest"}),)


def test_a_codec_can_be_set_on_the_command_line() -> None:
    plan = linked("", ('edges.worker -> center={ codec = "fp16" }',))

    assert [str(codec) for codec in plan.codecs] == ["fp16"]


def test_all_faults_of_the_edges_are_told_together_with_those_of_the_tables() -> None:
    text = (
        '"worker -> centre" = { codec = "bf16" }\n'
        '"worker -> center" = { codec = "topk", shar = 3 }\n'
        'x = 1\n"center -> worker" = { codec = 8 }\n[run]\nsede = 1\n'
    )

    with pytest.raises(WiringError) as caught:
        linked(text)

    told = caught.value.problems
    assert len(told) == 6
    assert told[0].startswith("[run] sede: there is no such key")
    assert told[1].startswith(
        "[edges] worker -> centre: there is no [centre] in this file (did you"
    )
    assert told[2].endswith("shar: topk takes no such key (did you mean share?); it takes share")
    assert told[3].endswith("share is missing: topk needs a number from 0.001 to 0.5")
    assert told[4].startswith("[edges] x: this is no edge between two tables, as")
    assert told[5].endswith("codec = 8: there is no such codec; there are bf16, fp16, int8, topk")


@pytest.mark.parametrize("share", ["0", "0.0001", "0.51", "true", '"0.1"', "nan"])
def test_a_share_outside_its_bounds_is_told(share: str) -> None:
    with pytest.raises(WiringError, match=r"a number from 0\.001 to 0\.5 is wanted"):
        linked(f'"worker -> center" = {{ codec = "topk", share = {share} }}')


def test_a_rounding_that_is_none_is_told() -> None:
    with pytest.raises(WiringError, match='"nearest" or "stochastic" is wanted'):
        linked('"worker -> center" = { codec = "int8", rounding = "up" }')


def test_edges_are_of_the_tables_of_the_file() -> None:
    problems = Problems()

    read_edges({"run -> hosts": {"codec": "bf16"}}, ["worker"], problems)

    assert len(problems) == 2
