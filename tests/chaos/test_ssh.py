"""`tether up --ssh`: home starts the agents of all other hosts, and they end with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.books import assert_accounted
from tests.chaos.conftest import Start
from tests.chaos.hosting import CENTER, TIMES, hosts, workers
from tests.chaos.secure import Server, missing, stand_in
from tests.chaos.stage import HERE
from tests.conftest import MARK
from tether.runners.ssh import COMMAND

PLAYERS = {"players.py": (HERE / "players.py").read_text(encoding="utf-8")}
LONG = TIMES.replace("lost = 2", "lost = 600")


@pytest.fixture(params=["stand-in", "openssh"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which a command is used as ssh."""
    if request.param == "stand-in":
        yield {COMMAND: stand_in(tmp_path)}
        return
    if why := missing():
        pytest.skip(why)
    given = {MARK: os.environ[MARK], "TMPDIR": os.environ["TMPDIR"], "PATH": os.environ["PATH"]}
    server = Server(tmp_path, given)
    yield {COMMAND: server.command}
    server.close()


def test_one_command_starts_and_ends_a_run_on_all_hosts(up: Start, env: dict[str, str]) -> None:
    wiring = hosts("a", "b", times=LONG) + CENTER + workers("a", "b", steps=40)

    home = up(wiring, "--ssh", "--set", "worker.steps=30", env=env, files=PLAYERS)

    assert home.end() == 0, home.said.read_text()
    assert home.state("center") == {"n": 60}
    assert home.state("worker/1") == {"t": 30}
    assert_accounted(home, unknown=0)
    assert "b: host b takes part in run" in home.said.read_text()
    home.until_nothing_is_left()


def test_a_home_that_is_killed_takes_all_others_with_it_at_once(
    up: Start, env: dict[str, str]
) -> None:
    wiring = hosts("a", "b", times=LONG) + CENTER + workers("a", "b")
    home = up(wiring, "--ssh", env=env, files=PLAYERS)
    home.until_said("worker-1", "running")

    home.signal(signal.SIGKILL)

    home.end()
    home.until_nothing_is_left()  # and what runs elsewhere is looked for after each test


def test_an_interrupt_of_the_terminal_is_for_home_alone(up: Start, env: dict[str, str]) -> None:
    wiring = hosts("a", "b", times=LONG) + CENTER + workers("a", "b")
    home = up(wiring, "--ssh", env=env, files=PLAYERS)
    home.until_said("worker-1", "running")

    home.signal(signal.SIGINT, group=True)

    assert home.end() == 130
    assert home.state("worker/1")["t"] > 0
    assert_accounted(home, unknown=0)
    home.until_nothing_is_left()


def test_a_host_that_cannot_be_reached_by_ssh_ends_the_run_before_it_begins(
    up: Start, tmp_path: Path
) -> None:
    refusing = stand_in(tmp_path, "#!/bin/sh\necho no route to host >&2\nexit 255\n")
    home = up(hosts("a", "b") + CENTER + workers("b"), "--ssh", env={COMMAND: refusing})

    assert home.end() == 2

    told = home.said.read_text()
    assert "b: no route to host" in told
    assert "to host b has ended with code 255 before its agent called" in told
    home.until_nothing_is_left()
