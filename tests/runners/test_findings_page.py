"""What a simulation found can be read in a terminal: every number, and only what happened."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.runners.test_findings import NUMBERS
from tether.runners.findings import Findings, Stale
from tether.runners.findings_page import page
from tether.runners.medium import Count

CALM = replace(
    NUMBERS,
    outcome="finished",
    reason="",
    messages={"sent": 9, "handled": 9, "dropped": 0, "unknown": 0, "in_flight": 0},
    faults={},
    restarts=0,
    rolled_back=0,
    gave_up={},
    leaks=0,
    broken=[],
    problems=[],
)


def lines(findings: Findings, width: int = 80) -> list[str]:
    """Return the lines of the page, one blank between cells."""
    console = Console(file=io.StringIO(), width=width)
    console.print(page(findings), markup=False, highlight=False, soft_wrap=True)
    file = console.file
    assert isinstance(file, io.StringIO)
    return [" ".join(line.split()) for line in file.getvalue().splitlines()]


def test_the_page_shows_every_number() -> None:
    assert lines(NUMBERS) == [
        "easgd, seed 7: failed after 12.25 s of virtual time: worker/0 was given up",
        "messages: 12 sent = 9 handled + 1 dropped + 1 unknown + 1 in flight",
        "faults: 4 × crash, 1 × pause",
        "restarts: 3, 1 given up; 62 messages rolled back",
        "leaks by deaths and returns: 5, all accounted for",
        "the state of worker/0 could not be kept",
        "between processes",
        "link packets MB lost doubled late",
        "worker → center 40 2.500 3 2 1",
        "compressed",
        "edge MB before MB sent times smaller relative error",
        "worker → center 4.0 1.0 4 0.002",
        "staleness when handled",
        "messages count median ms 95 % ms oldest ms median behind most",
        "worker → center 9 2 250 1.5e+03 2 31",
        "learning",
        "table first median last",
        "worker loss 2.5 0.5",
        "worker ‖xⁱ − x̄‖ 0.5 0.25 0.125",
    ]


def test_what_did_not_happen_is_not_shown() -> None:
    shown = lines(replace(CALM, links={}, staleness=[], losses={}, disagreement={}, compressed={}))

    assert shown == [
        "easgd, seed 7: finished after 12.25 s of virtual time",
        "messages: 9 sent = 9 handled",
    ]


def test_a_run_without_messages_has_handled_none() -> None:
    shown = lines(replace(CALM, messages=dict.fromkeys(CALM.messages, 0)))

    assert shown[1] == "messages: 0 sent = 0 handled"


def test_large_numbers_have_commas() -> None:
    large = replace(
        NUMBERS,
        messages={"sent": 1_234_567, "handled": 1_234_567},
        rolled_back=54_321,
        links={"a → b": Count(1000, 12_345_678_900, 2000, 3000, 4000)},
        staleness=[Stale("a → b", 5000, 0, 0, 0, 0, 6000)],
    )

    shown = lines(large)

    assert "messages: 1,234,567 sent = 1,234,567 handled" in shown
    assert "restarts: 3, 1 given up; 54,321 messages rolled back" in shown
    assert "a → b 1,000 12,345.679 2,000 3,000 4,000" in shown
    assert "a → b 5,000 0 0 0 0 6,000" in shown


@pytest.mark.parametrize(
    ("restarts", "gave_up", "line"),
    [
        (2, {}, "restarts: 2; 62 messages rolled back"),
        (0, {"a/0": "x", "b/0": "y"}, "restarts: 0, 2 given up; 62 messages rolled back"),
    ],
)
def test_returns_and_those_who_did_not_are_counted(
    restarts: int, gave_up: dict[str, str], line: str
) -> None:
    assert line in lines(replace(NUMBERS, restarts=restarts, gave_up=gave_up))


def test_names_are_shown_as_they_are() -> None:
    shown = lines(replace(NUMBERS, name="[bold]a", links={"[red]x → y": Count()}))

    assert shown[0].startswith("[bold]a, seed 7")
    assert "[red]x → y 0 0.000 0 0 0" in shown


def test_nothing_is_cut_off_in_a_narrow_terminal() -> None:
    whole, narrow = lines(NUMBERS, width=200), lines(NUMBERS, width=80)

    assert narrow == whole
    assert not any("…" in line for line in narrow)
