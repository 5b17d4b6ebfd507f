"""Who has a wrong key, or none, is refused: he is told, and so is who refuses him."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.chaos.conftest import Start
from tests.chaos.hosting import CENTER, TIMES, hosts, workers
from tests.chaos.stage import Agent
from tether.actors.keyring import Keyring
from tether.runners.keys import read_keys, write_keys, written

WIRING = CENTER + workers("b")


@pytest.fixture
def strange(tmp_path: Path, keys: Path) -> dict[str, Path]:
    """Files of keys for host b: of another run, and of this run but with a key of its own."""
    tmp_path.chmod(0o700)
    write_keys(tmp_path, ["a", "b", "c"])
    wrong, right = (read_keys(folder, "b") for folder in (tmp_path, keys))
    mixed = tmp_path / "mixed.toml"
    public = {**right.public, "b": wrong.public["b"]}
    mixed.write_text(written(Keyring("b", wrong.secret, public)))
    mixed.chmod(0o600)
    return {"of another run": tmp_path, "on no list": mixed}


def pair(up: Start, keys: Path | None = None, *arguments: str) -> tuple[Agent, Agent]:
    """Start home, and when it waits the agent of host b, in whose keys something is wrong."""
    wiring = hosts("a", "b", times=TIMES.replace("wait = 20", "wait = 600")) + WIRING
    home = up(wiring, "--host", "a")
    home.until_told("waiting for host b")
    given = {} if keys is None else {"keys": keys}
    other = up(wiring, "--host", "b", *arguments, **given)
    other.until_told("host b calls home a")
    return home, other


def assert_told(home: tuple[Agent, str], other: tuple[Agent, str]) -> None:
    """Check that both tell of the refusal, and go on waiting; print how soon they did."""
    begin = time.monotonic()
    for agent, sentence in (home, other):
        agent.until_told(sentence)
    print(f"both sides told of it after {time.monotonic() - begin:.2f} s")
    for agent in (other[0], home[0]):
        assert "host b is here" not in agent.said.read_text()
        agent.signal(signal.SIGINT)
        agent.end()
        agent.until_nothing_is_left()


def test_a_host_with_the_keys_of_another_run_is_refused(
    up: Start, strange: dict[str, Path]
) -> None:
    home, other = pair(up, strange["of another run"])

    assert_told(
        (home, "was not let in: it takes another key for ours"),
        (other, "its public key here is not its own"),
    )


def test_a_host_whose_key_is_on_no_list_is_refused(up: Start, strange: dict[str, Path]) -> None:
    home, other = pair(up, strange["on no list"])

    assert_told(
        (home, "was not let in: its key, "),
        (other, "does not let us in: our key is not on its list"),
    )


def test_a_host_without_a_key_is_refused(up: Start) -> None:
    home, other = pair(up, None, "--set", "run.encryption=off")

    assert_told(
        (home, "was not let in: it does not encrypt as is done here"),
        (other, "and we do not agree on encryption: one has no keys, or encryption = off"),
    )
