"""What many seeds found, added up by hand."""

from __future__ import annotations

from dataclasses import replace

from tests.runners.test_findings import NUMBERS
from tether.runners.sums import Sums


def test_nothing_adds_up_to_nothing() -> None:
    assert Sums().text(0.0) == (
        "0 seeds: all promises held\n"
        "; 0 s of virtual time in 0.0 s\n"
        "0 messages, 0 handled; faults: none; 0 restarts, 0 leaks"
    )


def test_what_seeds_found_is_added_up() -> None:
    sums = Sums()
    held = replace(NUMBERS, outcome="finished", broken=[], faults={"crash": 1000, "slow": 1})

    for findings in (NUMBERS, held, replace(held, seconds=1500.0, leaks=2000)):
        sums.add(findings)

    assert sums.broken == [7]
    assert sums.text(61.25) == (
        "3 seeds: 1 broke a promise\n"
        "1 failed, 2 finished; 1,524 s of virtual time in 61.2 s\n"
        "36 messages, 27 handled; faults: 2,004 × crash, 1 × pause, 2 × slow; "
        "9 restarts, 2,010 leaks"
    )
