"""The topology as a table."""

from __future__ import annotations

import tomllib
from io import StringIO
from pathlib import Path

from rich.console import Console

from tether.runners.linker import link
from tether.runners.show import COLUMNS, row, table
from tether.runners.spec import Plan

BROKEN = Path(__file__).parent / "broken"


def linked(text: str) -> Plan:
    return link(tomllib.loads(text), BROKEN, name="easgd")


def printed(plan: Plan) -> str:
    console = Console(file=StringIO(), width=120)
    console.print(table(plan))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_row_says_where_an_actor_lives_and_whom_it_talks_to() -> None:
    plan = linked(
        '[center]\nactor = "pieces:Center"\n'
        '[worker]\nactor = "pieces:Worker"\non = "gpu1"\ncenter = "@center"\n'
    )

    assert row(plan.actor("worker")) == (
        "worker/0",
        "Worker",
        "worker-0",
        "here",
        "gpu1",
        "center/0",
    )


def test_many_peers_are_counted_instead_of_listed() -> None:
    plan = linked('[peer]\nactor = "pieces:Peer"\ncount = 9\nothers = "@peer[others]"\n')

    assert row(plan.actor("peer/4"))[-1] == "peer/0 … peer/8 (8)"


def test_the_table_has_a_line_an_actor() -> None:
    text = printed(linked('[center]\nactor = "pieces:Center"\ncount = 3\n'))

    assert all(column in text for column in COLUMNS)
    assert [line.split()[1] for line in text.splitlines() if "center/" in line] == [
        "center/0",
        "center/1",
        "center/2",
    ]


def test_who_may_join_later_has_a_line_that_says_so() -> None:
    plan = linked('[center]\nactor = "pieces:Center"\ncount = { start = 1, min = 1, max = 2 }\n')

    assert [row(spec)[0] for spec in plan] == ["center/0", "center/1 (later)"]
