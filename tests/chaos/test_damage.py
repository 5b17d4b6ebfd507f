"""A checkpoint that is not good is refused in a sentence, and the one before it is used."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.books import assert_accounted, assert_sums, of
from tests.chaos.conftest import Start
from tests.chaos.players import GATE
from tests.chaos.stage import CENTER, FAST, OFTEN, WORKERS, Agent, until
from tether.actors.checkpoint import About, name
from tether.actors.state import dump, load

STEPS = 3000
ACTORS = ("center/0", "worker/0", "worker/1")
RUN = FAST + CENTER + OFTEN + WORKERS + OFTEN + f"pause = 0.003\nsteps = {STEPS}\n"
CUT = "it is cut short: "
DAMAGED = "it is damaged: "


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def age(path: Path) -> None:
    """Write it as an older version did: of format 1, without a checksum."""
    header = {"__metadata__": {"format": "1", "tree": ""}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def change_class(path: Path) -> None:
    """Make it one that another wiring has written, whole as it is."""
    state = load(path.read_bytes())
    actor, n = "worker/1", int(path.name.split(".")[1])
    path.write_bytes(dump(state, About(actor, "players:Other", 1, n).metadata))


HARM = pytest.mark.parametrize(
    ("harm", "why"),
    [
        (cut, CUT),
        (empty, CUT),
        (flip, DAMAGED),
        (age, "it has format 1, of an older version; 2 is wanted"),
    ],
)
Harm = Callable[[Path], None]


def harmed(agent: Agent, actor: str, harm: Harm, *, every: bool = False) -> list[int]:
    """Harm an actor's newest checkpoint, or all that it has; return their rounds."""
    rounds = agent.checkpoints.rounds(actor)
    for n in rounds if every else rounds[:1]:
        harm(agent.run / "checkpoints" / name(actor, n))
    return rounds


@HARM
def test_a_resumed_run_goes_on_from_the_round_before_a_damaged_one(
    up: Start, harm: Harm, why: str
) -> None:
    agent = up(RUN)
    agent.until_kept(*ACTORS, rounds=2)
    agent.kill_all()
    newest = common(agent)[0]
    harm(agent.run / "checkpoints" / name("worker/1", newest))

    agent.resume()

    assert agent.end() == 0, agent.said.read_text()
    said = agent.said.read_text()
    (sentence,) = [line for line in said.splitlines() if "checkpoints/worker-1." in line]
    assert sentence.startswith(f"checkpoints/worker-1.{newest}.safetensors: {why}")
    assert sentence.endswith(f"; round {newest - 1} is used")
    assert f"resumed from {agent.run}, round {newest - 1}" in said
    assert [agent.state(f"worker/{k}")["t"] for k in range(2)] == [STEPS] * 2
    assert_accounted(agent, unknown=0)


def common(agent: Agent) -> list[int]:
    """Return the rounds of which all actors have a checkpoint, newest first."""
    rounds = [set(agent.checkpoints.rounds(actor)) for actor in ACTORS]
    return sorted(set[int].intersection(*rounds), reverse=True)
