"""A checkpoint that is not good is refused in a sentence, and the one before it is used."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.books import assert_accounted, of
from tests.chaos.conftest import Start
from tests.chaos.players import GATE
from tests.chaos.stage import CENTER, ENDLESS, FAST, OFTEN, WORKERS, Agent
from tether.actors.checkpoint import About, name
from tether.actors.state import dump, load

STEPS = 1500
ACTORS = ("center/0", "worker/0", "worker/1")
SLOWER = FAST.replace("checkpoint = 0.2", "checkpoint = 0.5")
RUN = SLOWER + ENDLESS
LIVE = FAST + CENTER + WORKERS + OFTEN
FINITE = CENTER + WORKERS + f"pause = 0.003\nsteps = {STEPS}\n"
CUT = "it is cut short: "
DAMAGED = "it is damaged: "


def file_of(actor: str, n: int) -> str:
    """Return how people are told of a checkpoint."""
    return f"checkpoints/{name(actor, n)}"


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


HARMS = [
    (empty, CUT),
    (cut, CUT),
    (flip, DAMAGED),
    (age, "it has format 1, of an older version; 2 is wanted"),
]
Harm = Callable[[Path], None]


def common(agent: Agent) -> list[int]:
    """Return the rounds of which all actors have a checkpoint, newest first."""
    rounds = [set(agent.checkpoints.rounds(actor)) for actor in ACTORS]
    return sorted(set[int].intersection(*rounds), reverse=True)


def killed(agent: Agent) -> tuple[int, int]:
    """Kill everything when all have two new checkpoints of the same rounds; return those.

    A death in the middle of a round leaves one of these: then the run goes on, and dies again.
    """
    known = max(agent.checkpoints.rounds("worker/1"), default=0)
    rounds: list[int] = []
    while len(rounds) < 2:
        agent.until(lambda: len(common(agent)) == 2 and common(agent)[1] > known)
        agent.kill_all()
        rounds = common(agent)
        if len(rounds) < 2:
            agent.resume()
    return rounds[0], rounds[1]


def test_a_resumed_run_goes_on_from_the_round_before_a_damaged_one(up: Start) -> None:
    agent = up(RUN)

    for harm, why in HARMS[1:3]:
        newest, before = killed(agent)
        harm(agent.run / "checkpoints" / name("worker/1", newest))
        state = agent.checkpoints.read("worker/1", before)[1]
        agent.resume()
        agent.until_told(f"resumed from {agent.run}, round {before}")
        said = agent.said.read_text()
        begin = f"{file_of('worker/1', newest)}: {why}"
        (sentence,) = [line for line in said.splitlines() if line.startswith(begin)]
        assert sentence.endswith(f"; round {before} is used")
        agent.until_said("worker-1", f"begins at {state['t']}\n")


def test_a_run_is_not_resumed_with_a_wiring_of_other_classes(up: Start) -> None:
    agent = up(RUN)
    newest, _ = killed(agent)

    agent.resume(RUN.replace("players:Worker", "troubled:Member"))

    assert agent.end() == 2
    file = file_of("worker/0", newest)
    why = "it is of players:Worker, but worker/0 is a troubled:Member"
    assert agent.said.read_text().splitlines()[0] == f"tether: --resume: {file}: {why}"


def test_a_run_without_a_good_checkpoint_of_somebody_is_not_resumed(up: Start) -> None:
    agent = up(RUN)
    for n in killed(agent):
        cut(agent.run / "checkpoints" / name("worker/1", n))

    agent.resume()

    assert agent.end() == 2
    (sentence,) = agent.said.read_text().splitlines()
    assert sentence.startswith("tether: --resume: worker/1 has no good checkpoint: checkpoints/")
    assert sentence.count(CUT) == 2


def died(agent: Agent, gate: Path, harm: Harm, *, every: bool = False) -> list[int]:
    """Kill a worker, and harm a checkpoint of it, or `every` one, before it can come back.

    Return the rounds it had, newest first.
    """
    known = max(agent.checkpoints.rounds("worker/1"), default=0)
    agent.until_kept("worker/1", rounds=2)
    agent.until(lambda: agent.checkpoints.rounds("worker/1")[-1] > known)
    gate.unlink()
    pid = agent.member("worker-1")
    agent.kill("worker-1")
    agent.until(lambda: agent.members().get("worker-1") != pid)
    rounds = agent.checkpoints.rounds("worker/1")
    for n in rounds if every else rounds[:1]:
        harm(agent.run / "checkpoints" / name("worker/1", n))
    gate.touch()
    return rounds


def test_who_comes_back_takes_the_checkpoint_before_a_damaged_one_and_says_so(
    up: Start, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    agent = up(LIVE, env={GATE: str(gate)})
    other = (change_class, "it is of players:Other, but worker/1 is a players:Worker")
    expected, used = [], []

    for death, (harm, why) in enumerate([*HARMS, other], 1):
        newest, older = died(agent, gate, harm)
        expected.append(f"{file_of('worker/1', newest)}: {why}")
        used.append(name("worker/1", older))
        agent.until_told("worker/1 is back", death)
    agent.signal(signal.SIGTERM)

    assert (agent.end(), agent.summary["outcome"]) == (0, "stopped"), agent.said.read_text()
    assert [back.checkpoint for back in of(agent, "worker/1")] == used
    for told in (agent.said.read_text(), agent.log("worker-1"), agent.summary["reason"]):
        assert [sentence for sentence in expected if sentence not in told] == []
        assert "; the one before it is used" in told
    assert_accounted(agent, unknown=len(expected))


def test_who_has_no_good_checkpoint_left_is_given_up_with_that_reason(
    up: Start, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    agent = up(FAST + FINITE, env={GATE: str(gate)})

    rounds = died(agent, gate, cut, every=True)

    assert agent.end() == 1
    why = agent.summary["gave_up"]["worker/1"]
    begin = "it could not be made: ValueError: worker/1 has no good checkpoint: "
    assert why.startswith(f"{begin}{file_of('worker/1', rounds[0])}: {CUT}")
    assert why.endswith("; 3 restarts in 60 s were not enough")
    assert agent.state("worker/0")["t"] == STEPS


@pytest.mark.parametrize("victim", ["center/0", "worker/0"])
def test_a_full_disk_ends_the_run_with_its_reason_and_the_last_checkpoint_is_whole(
    up: Start, victim: str
) -> None:
    agent = up(RUN)
    agent.until(lambda: len(common(agent)) == 2)

    resource.prlimit(agent.member(victim.replace("/", "-")), resource.RLIMIT_FSIZE, (100, 100))

    assert agent.end() == 1
    reason = f"the state of {victim} could not be saved: OSError: [Errno 27] File too large"
    assert agent.summary["reason"].startswith(reason)
    assert reason in agent.said.read_text()
    assert not list((agent.run / "checkpoints").glob(".*"))
    about, _ = agent.checkpoints.read(victim, agent.checkpoints.rounds(victim)[0])
    assert about.step > 0 or victim == "center/0"
    assert agent.left() == []

    agent.resume()
    agent.until_told(f"resumed from {agent.run}, round ")
    agent.until_said("worker-1", "begins at", 2)
