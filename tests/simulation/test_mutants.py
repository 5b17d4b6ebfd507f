"""Each planted bug is caught by the promise that it breaks; the runtime without one breaks none."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import CHATTER, EASGD, MUTANTS, Mutant, caught, short, tried
from tether.actors import inbound, link, mailbox, outbound, switch
from tether.actors.calls import Calls
from tether.actors.turn import Turn
from tether.protocols import easgd, learner
from tether.runners import process
from tether.runners.simulate import Setting

SEEDS = range(24)
"""Of which the first is enough for most mutants; one in six catches a lost acknowledgement."""
SENTENCES = {
    "sign": "Conservation: x̃ + Σx − differences under way is off",
    "stale-snapshot": "Conservation: x̃ + Σx − differences under way is off",
    "applied-twice": "Conservation: x̃ + Σx − differences under way is off",
    "lost-acknowledgement": ", but never ",
    "no-deduplication": "begins, but it was never sent, or was begun or dropped before",
    "wrong-incarnation": "begins, but it was never sent, or was begun or dropped before",
    "reordered": "of the same sender, so out of order",
    "no-window": "but its window is of 16 messages",
    "overlapping": "begins while another message is handled there",
    "endless-asks": "but is waited for at",
    "older-checkpoint": "came back from",
}
"""What is said of each mutant."""


OWNERS = (
    learner.Learner, easgd.Center, link.Link, inbound.Inbound, switch.Switch, mailbox.Mailbox,
    outbound.Outbound, Turn, Calls, process.Process,
)  # fmt: skip


def planted() -> list[dict[str, object]]:
    """Return what bugs are planted into, as it is."""
    return [dict(vars(owner)) for owner in OWNERS]


def test_there_is_a_sentence_for_each_mutant() -> None:
    assert [mutant.name for mutant in MUTANTS] == list(SENTENCES)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant) -> None:
    said = []

    with mutant.plant():
        for seed in SEEDS:
            said.append(caught(short(mutant.setting), seed))
            if SENTENCES[mutant.name] in said[-1]:
                break

    assert SENTENCES[mutant.name] in said[-1], said


@pytest.mark.timeout(120)
@pytest.mark.parametrize("setting", [EASGD, CHATTER], ids=["easgd", "chatter"])
def test_without_a_planted_bug_the_first_seeds_hold(setting: Setting) -> None:
    said = [caught(short(setting), seed) for seed in SEEDS[:8]]

    assert said == [""] * 8


def test_a_planted_bug_is_there_for_a_while_only() -> None:
    before = planted()
    during = []

    for mutant in MUTANTS:
        with mutant.plant():
            during.append(planted() != before)

    assert during == [True] * len(MUTANTS)
    assert planted() == before


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_twenty_seeds_catch_a_planted_bug(mutant: Mutant) -> None:
    said = tried(mutant, 20)

    print(f"{len(said)} of 20 seeds: {said[:1]}")
    assert any(SENTENCES[mutant.name] in text for text in said)
