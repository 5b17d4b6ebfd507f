"""A process of a run, alone with the two lines to its agent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.chaos.stage import HERE, until
from tether.runners.addresses import Addresses
from tether.runners.blackbox import BlackBox
from tether.runners.linker import link
from tether.runners.sockets import SocketFolder

Start = Callable[[], "Started"]


class Started:
    """A process of a run, its line and its life."""

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair()
        read, self.life = os.pipe()
        self.box = BlackBox.create()
        passed = (theirs.fileno(), read, self.box.fd)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tether.runners.child", *map(str, passed)],
            pass_fds=passed,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        os.close(read)
        self._file = self.line.makefile("rb")

    def say(self, *message: Any) -> None:
        data = msgpack.packb(message)
        self.line.sendall(len(data).to_bytes(4, "little") + data)

    def hear(self) -> list[Any]:
        """Return what it says next, but for news."""
        while True:
            size = int.from_bytes(self._file.read(4), "little")
            said: list[Any] = msgpack.unpackb(self._file.read(size), strict_map_key=False)
            if said[0] != "news":
                return said

    def end_life(self) -> None:
        os.close(self.life)
        self.life = -1

    def clear(self) -> None:
        self.process.kill()
        self.process.wait()
        self._file.close()
        self.line.close()
        self.box.close()
        if self.life >= 0:
            self.end_life()


@pytest.fixture
def child() -> Iterator[Started]:
    started = Started()
    yield started
    started.clear()


@pytest.fixture
def sockets() -> Iterator[SocketFolder]:
    folder = SocketFolder()
    yield folder
    folder.remove()


@pytest.fixture
def order(
    sockets: SocketFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Make the first order: the share of the process "all" in a run of these tables."""
    monkeypatch.syspath_prepend(HERE)

    def make(**tables: dict[str, Any]) -> dict[str, Any]:
        plan = link(tables, HERE, name="x")
        return {
            "plan": plan.to_wire(),
            "process": plan.actors[0].process,
            "addresses": Addresses(sockets.addresses(plan.processes())).to_wire(),
            "run": "0123456789abcdef",
            "state": str(tmp_path / "state"),
            "checkpoints": str(tmp_path / "checkpoints"),
            "logs": str(tmp_path),
            "start": 1,
            "names": [spec.name for spec in plan],
            "restore": {},
            "alone": [],
            "incarnations": {spec.name: 1 for spec in plan},
            "down": {},
            "gone": {},
            "off": [],
            "present": [spec.name for spec in plan],
        }

    return make


PARENT = {"actor": "players:Parent"}
CENTER = {"actor": "players:Center"}


def test_a_process_whose_agent_never_speaks_ends_with_it(child: Started) -> None:
    child.line.shutdown(socket.SHUT_RDWR)

    assert child.process.wait(20) == 0


def test_a_process_ignores_the_interrupt_of_its_terminal(
    child: Started, order: Callable[..., dict[str, Any]]
) -> None:
    child.say("plan", order(center=CENTER))
    ready = child.hear()

    child.process.send_signal(signal.SIGINT)
    child.say("quiet")

    assert ready == ["ready", child.process.pid]
    assert child.hear() == ["quiet", True]


def test_a_process_dies_with_its_agent_and_takes_its_own_along(
    child: Started, order: Callable[..., dict[str, Any]], sockets: SocketFolder
) -> None:
    child.say("plan", order(parent=PARENT))
    child.hear()
    child.say("go", ["parent/0"])
    child.hear()

    child.end_life()

    assert child.process.wait(20) == -signal.SIGKILL
    until(lambda: not sockets.path.exists())


def test_what_cannot_be_made_is_told_with_its_place_in_the_wiring(
    child: Started, order: Callable[..., dict[str, Any]]
) -> None:
    child.say("plan", order(odd={"actor": "players:Unbuildable"}))

    word, why, trace = child.hear()

    assert word == "unbuilt"
    place = "odd/0: while players:Unbuildable was called for [odd]"
    assert why == f"ValueError: tau is 0, which never exchanges ({place})"
    assert "Traceback" in trace
    assert child.process.wait(20) == 0


def test_a_process_whose_sources_have_changed_is_not_made(
    child: Started, order: Callable[..., dict[str, Any]]
) -> None:
    first = order(center=CENTER)
    first["plan"]["digests"] |= {"players": "0" * 64}
    child.say("plan", first)

    word, why, _ = child.hear()

    assert word == "unbuilt"
    assert why.startswith("ValueError: center-0 has other sources than the linker: ")
    assert "players" in why


def test_a_process_obeys_until_it_is_told_to_close(
    child: Started, order: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    child.say("plan", order(center=CENTER))
    child.hear()
    for words in (["go", ["center/0"]], ["note", 7], ["stop_life", False], ["close", 1]):
        child.say(*words)

    said = [child.hear() for _ in range(4)]

    assert said == [
        ["lives", ["center/0"], ["center/0"]],
        ["noted", 7],
        ["stopped_life"],
        ["closed"],
    ]
    assert child.process.wait(20) == 0
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["center-0.safetensors"]


def test_a_process_whose_actor_exits_ends_with_its_code(
    child: Started, order: Callable[..., dict[str, Any]]
) -> None:
    child.say("plan", order(odd={"actor": "players:Quitter"}))
    child.hear()

    child.say("go", ["odd/0"])

    assert child.process.wait(20) == 3


def test_a_process_that_is_sent_nonsense_ends_with_a_code_of_failure(
    child: Started,
) -> None:
    child.say("plan", {"addresses": Addresses().to_wire(), "process": "none"})

    assert child.process.wait(20) == 1
    assert not list(Path(tempfile.gettempdir()).glob("tether-*"))
