"""An agent is known by more than a number that the system gives to others after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tether.runners.agent import FILE, alive, conducting, identity

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def test_this_process_is_alive() -> None:
    me = identity()

    assert me["pid"] == os.getpid()
    assert alive(me)


def test_an_identity_survives_its_file() -> None:
    assert alive(json.loads(json.dumps(identity())))


@linux
def test_another_process_of_the_same_id_is_somebody_else() -> None:
    me = identity()

    assert not alive({**me, "started": me["started"] - 1})


def test_an_id_alone_will_do_where_no_more_is_known() -> None:
    assert alive({"pid": os.getpid()})
    assert alive({"pid": os.getpid(), "started": None})


def test_a_process_that_has_ended_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert not alive({"pid": process.pid})


@linux
def test_a_process_that_nobody_has_waited_for_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert not alive({"pid": process.pid})


@linux
def test_a_name_with_blanks_and_brackets_confuses_nobody(tmp_path: Path) -> None:
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/cat")
    pipe = subprocess.PIPE
    with subprocess.Popen([program], stdin=pipe, stdout=pipe, env=dict(os.environ)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"here\n")
        process.stdin.flush()
        process.stdout.readline()

        assert alive({"pid": process.pid})
        process.stdin.close()


def test_a_process_of_another_user_is_there_too() -> None:
    assert alive({"pid": 1})


def test_a_folder_without_an_agent_is_conducted_by_nobody(tmp_path: Path) -> None:
    assert conducting(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"pid": 4711}', {"pid": 4711, "started": None}),
        ('{"pid": 4711, "started": 99, "more": 1}', {"pid": 4711, "started": 99}),
    ],
)
def test_a_file_names_its_agent(tmp_path: Path, text: str, found: dict[str, int | None]) -> None:
    (tmp_path / FILE).write_text(text)

    assert conducting(tmp_path) == found


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[1]", "{}", '{"pid": "x"}', '{"pid": 0}', '{"pid": -1}', '{"pid": 1e99}'],
)
def test_a_file_that_names_no_process_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(ValueError, match="names no process; something like"):
        conducting(tmp_path)
