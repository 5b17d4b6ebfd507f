"""The topology as a drawing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tether.runners.linker import link
from tether.runners.picture import Canvas, picture

BROKEN = Path(__file__).parent / "broken"
CENTER = '[center]\nactor = "pieces:Center"\n'


def drawn(text: str) -> str:
    return picture(link(tomllib.loads(text), BROKEN, name="wiring"))


def lines(text: str) -> str:
    return "\n".join(line[8:] for line in text.strip("\n").splitlines())


def test_a_star_is_an_arrow_from_many_to_one() -> None:
    text = drawn(CENTER + '[worker]\nactor = "pieces:Worker"\ncount = 4\ncenter = "@center"\n')

    assert text == lines("""
        ┌───────────────┐
        │ center        │◀────────────────┐
        │ pieces:Center │                 │
        │ cpu           │                 │
        └───────────────┘                 │
        ┌───────────────┐                 │
        │ worker ×4     ├─ center · ipc ──┘
        │ pieces:Worker │
        │ cpu ×4        │
        └───────────────┘
""")


def test_codecs_stand_at_the_arrow_whose_messages_or_answers_they_make_smaller() -> None:
    text = CENTER + '[worker]\nactor = "pieces:Worker"\ncenter = "@center"\n[edges]\n'
    there, back = (
        '"worker -> center" = { codec = "bf16" }\n',
        '"center -> worker" = { codec = "fp16" }\n',
    )

    assert "center · ipc · bf16 ─" in drawn(text + there)
    assert "center · ipc · answers fp16 ─" in drawn(text + back)
    assert "center · ipc · bf16 · answers fp16 ─" in drawn(text + there + back)


def test_messages_to_ones_own_table_and_their_answers_have_one_codec() -> None:
    text = '[peer]\nactor = "pieces:Peer"\ncount = 4\nothers = "@peer[others]"\n[edges]\n'

    assert "· ipc · bf16 ─" in drawn(text + '"peer -> peer" = { codec = "bf16" }\n')


def test_a_ring_is_a_loop_to_two_neighbours_each() -> None:
    text = drawn('[peer]\nactor = "pieces:Peer"\ncount = 4\nothers = ["@peer[-1]", "@peer[+1]"]\n')

    assert text == lines("""
        ┌─────────────┐
        │ peer ×4     ├─ others ×2 · ipc ──┐
        │ pieces:Peer │◀───────────────────┘
        │ cpu ×4      │
        └─────────────┘
""")


def test_two_levels_are_two_arrows_and_a_passing_one_crosses_neither() -> None:
    text = drawn(
        CENTER
        + '[leader]\nactor = "pieces:Worker"\ncount = 2\ncenter = "@center"\n'
        + '[worker]\nactor = "pieces:Worker"\ncount = 4\ncenter = "@center"\n'
    )

    assert text == lines("""
        ┌───────────────┐
        │ center        │◀───────────────────┐
        │ pieces:Center │◀────────────────┐  │
        │ cpu           │                 │  │
        └───────────────┘                 │  │
        ┌───────────────┐                 │  │
        │ leader ×2     ├─ center · ipc ──┘  │
        │ pieces:Worker │                    │
        │ cpu ×2        │                    │
        └───────────────┘                    │
        ┌───────────────┐                    │
        │ worker ×4     ├─ center · ipc ─────┘
        │ pieces:Worker │
        │ cpu ×4        │
        └───────────────┘
""")


def test_an_argument_over_two_transports_is_one_arrow_that_counts_both() -> None:
    hosts = '[hosts]\na = "10.0.0.1:5700"\nb = "10.0.0.2:5700"\n'

    text = drawn(
        hosts
        + CENTER
        + '[worker]\nactor = "pieces:Worker"\non = ["a/gpu0", "b/gpu0"]\ncenter = "@center"\n'
    )

    assert "├─ center · 1 ipc + 1 tcp ──┘" in text
    assert "│ a/gpu0 b/gpu0 │" in text


def test_a_live_table_says_how_many_start_and_between_how_many_there_are() -> None:
    text = drawn(
        '[peer]\nactor = "pieces:Peer"\ncount = { start = 2, min = 1, max = 4 }\n'
        'others = "@peer[others]"\n'
    )

    assert text == lines("""
        ┌───────────────┐
        │ peer ×2 (1\N{EN DASH}4) ├─ others ×3 · ipc ──┐
        │ pieces:Peer   │◀───────────────────┘
        │ cpu ×4        │
        └───────────────┘
""")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", '"@t0[*]"', '"@t1[*]"', '"@t2[*]"']), min_size=3, max_size=3))
def test_every_reference_is_an_arrow_with_one_head(targets: list[str]) -> None:
    text = "".join(
        f'[t{i}]\nactor = "pieces:Center"\ncount = 2\n' + (f"x = {target}\n" if target else "")
        for i, target in enumerate(targets)
    )

    picture = drawn(text)

    assert picture.count("◀") == picture.count("─ x ") == sum(map(bool, targets))


def test_lines_that_cross_are_joined() -> None:
    canvas = Canvas()

    canvas.line(1, 0, 1, 2)
    canvas.line(0, 1, 2, 1)

    assert str(canvas) == " │\n─┼─\n │"
