"""Which commands start the agents of other hosts, and that they end with their connection."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tether.runners.linker import link
from tether.runners.spec import Plan
from tether.runners.ssh import COMMAND, Ssh


class Idle:
    async def run(self) -> None: ...


@pytest.fixture
def plan() -> Plan:
    hosts = {"a": "10.0.0.1:5700", "b": "node-1.lan:5700", "c": "[fe80::1]:5700"}
    tables = {"hosts": hosts, "idle": {"actor": Idle, "on": ["a", "b", "c"]}}
    return link(tables, Path(), name="x", importable=False)


def test_an_agent_is_started_in_the_same_folder_with_the_same_options(plan: Plan) -> None:
    ssh = Ssh(plan, Path("easgd.toml"), ["--set", "worker.tau=2"], print, {})

    *command, machine, script = ssh.describe("b")

    assert (command, machine) == (["ssh", "-o", "BatchMode=yes"], "node-1.lan")
    agent = [sys.executable, "-m", "tether.runners", "up", "easgd.toml", "--set", "worker.tau=2"]
    ends = shlex.join([*agent, "--host", "b", "--attached"])
    assert script == f"cd {shlex.quote(str(Path.cwd()))} && exec {ends}"
    assert ssh.describe("c")[-2] == "fe80::1"


def test_another_command_may_be_named_by_the_environment(plan: Plan) -> None:
    ssh = Ssh(plan, Path("x.toml"), [], print, {COMMAND: "ssh -F 'my file'"})

    assert ssh.describe("b")[:3] == ["ssh", "-F", "my file"]


async def test_what_an_agent_says_is_passed_on_and_its_end_is_told(plan: Plan) -> None:
    said: list[str] = []
    ends: list[tuple[str, str]] = []
    ssh = Ssh(plan, Path("x.toml"), [], said.append, {COMMAND: "sh -c 'echo $0; exit 3'"})

    await ssh.submit(lambda host, why: ends.append((host, why)))
    await ssh.cancel()

    assert sorted(said) == ["b: node-1.lan", "c: fe80::1"]
    assert sorted(ends) == [
        ("b", "sh to host b has ended with code 3"),
        ("c", "sh to host c has ended with code 3"),
    ]


async def test_who_does_not_end_by_itself_ends_with_its_connection(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tether.runners.ssh.PATIENCE", 0.2)
    ends: list[str] = []
    ssh = Ssh(plan, Path("x.toml"), [], print, {COMMAND: "sh -c 'read line; exit 4'"})

    await ssh.submit(lambda _host, why: ends.append(why))
    await ssh.cancel()

    assert [why.rpartition(" ")[2] for why in ends] == ["4", "4"]


async def test_who_does_not_even_then_is_killed(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tether.runners.ssh.PATIENCE", 0.2)
    ends: list[str] = []
    ssh = Ssh(plan, Path("x.toml"), [], print, {COMMAND: "sh -c 'exec sleep 600'"})

    await ssh.submit(lambda _host, why: ends.append(why))
    await ssh.cancel()

    assert [why.rpartition(" ")[2] for why in ends] == ["-9", "-9"]
